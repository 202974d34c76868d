import { LogoIcon } from "@/components/ui/icons";

/** The moment before it is known who is there: the frame alone, so that nothing jumps. */
export function Starting() {
  return (
    <>
      <header className="border-b border-line bg-surface">
        <div className="flex h-13 items-center gap-2 px-4 font-semibold sm:px-6">
          <LogoIcon className="size-5" />
          PyK8s Lab
        </div>
      </header>
      <main aria-busy="true" className="mx-auto max-w-[1280px] px-4 pt-8 sm:px-6 lg:px-11">
        <h1 className="sr-only">Starting</h1>
        <div className="skeleton h-8 w-36" />
        <div className="skeleton mt-6 h-9 w-72 max-w-full" />
        <div className="skeleton mt-4 h-64 w-full" />
      </main>
    </>
  );
}
