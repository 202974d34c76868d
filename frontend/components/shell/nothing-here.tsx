import { LabLink } from "./lab-link";

export function NothingHere() {
  return (
    <div className="mx-auto max-w-[420px] py-20 text-center">
      <h1 className="text-xl font-semibold">Nothing at this address</h1>
      <p className="mt-2 text-balance text-muted">
        It may have been typed wrongly. Your clusters are{" "}
        <LabLink href="/" className="text-accent underline underline-offset-2">
          on the first page
        </LabLink>
        .
      </p>
    </div>
  );
}
