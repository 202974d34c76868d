"use client";

import { useEffect, useId, useRef, type ReactNode } from "react";
import { classes } from "@/lib/text/classes";

type Shape = "center" | "sheet" | "wide-sheet" | "top";

const SHAPES: Record<Shape, string> = {
  center: "appear m-auto w-[min(440px,calc(100vw-32px))] rounded-lg border",
  top: "appear mx-auto mt-[12vh] w-[min(560px,calc(100vw-32px))] rounded-lg border",
  sheet: "slide-in my-0 mr-0 ml-auto h-dvh max-h-dvh w-[min(520px,100vw)] max-w-none border-l",
  "wide-sheet": "slide-in my-0 mr-0 ml-auto h-dvh max-h-dvh w-[min(860px,100vw)] max-w-none border-l",
};

interface DialogProps {
  title: string;
  /** The title is there for screen readers only. */
  hideTitle?: boolean;
  shape?: Shape;
  onClose: () => void;
  children: ReactNode;
}

/**
 * A modal dialog, mounted while it is open. The browser's own element brings the focus trap, Escape, the inert page behind and the
 * return of the focus, in no script at all and without styles that a strict policy would refuse.
 */
export function Dialog({ title, hideTitle = false, shape = "center", onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();

  useEffect(() => {
    const element = dialog.current;
    if (!element) return;
    const before = document.activeElement;
    element.showModal();
    element.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    document.documentElement.style.overflow = "hidden";
    return () => {
      element.close();
      document.documentElement.style.overflow = "";
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);

  return (
    // A click beside the content closes; Escape does the same for the keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions, jsx-a11y/click-events-have-key-events -- see above
    <dialog
      ref={dialog}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
      className={classes("overflow-clip border-line-strong bg-surface p-0 text-text outline-none", SHAPES[shape])}
    >
      <div className={classes("flex flex-col", shape.endsWith("sheet") ? "h-full" : "max-h-[80vh]")}>
        <h2 id={titleId} className={hideTitle ? "sr-only" : "px-6 pt-5 text-lg font-semibold"}>
          {title}
        </h2>
        {children}
      </div>
    </dialog>
  );
}
