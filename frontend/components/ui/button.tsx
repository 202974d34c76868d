import type { AnchorHTMLAttributes, ComponentProps } from "react";
import { classes } from "@/lib/text/classes";

export type ButtonLook = "primary" | "secondary" | "danger" | "danger-solid" | "ghost";
export type ButtonSize = "md" | "sm";

interface Style {
  look?: ButtonLook;
  size?: ButtonSize;
}

const LOOKS: Record<ButtonLook, string> = {
  primary: "border border-transparent bg-inverse text-on-inverse hover:opacity-88",
  secondary: "border border-line-strong bg-surface text-text hover:bg-raised",
  danger: "border border-line-strong bg-surface text-bad hover:border-bad-line hover:bg-bad-soft",
  "danger-solid": "border border-transparent bg-bad text-on-inverse hover:opacity-88",
  ghost: "border border-transparent text-muted hover:bg-raised hover:text-text",
};

const SIZES: Record<ButtonSize, string> = {
  md: "h-9 gap-2 rounded-lg px-3 text-base",
  sm: "h-7 gap-1.5 rounded-md px-2.5 text-sm",
};

export function buttonClasses({ look = "secondary", size = "md" }: Style, more?: string): string {
  return classes(
    "inline-flex shrink-0 select-none items-center justify-center whitespace-nowrap font-medium transition-[background,border-color,opacity]",
    "disabled:opacity-50 disabled:pointer-events-none aria-disabled:opacity-50",
    LOOKS[look],
    SIZES[size],
    more,
  );
}

export function Button({ look, size, className, type = "button", ...rest }: ComponentProps<"button"> & Style) {
  return <button type={type} className={buttonClasses({ ...(look && { look }), ...(size && { size }) }, className)} {...rest} />;
}

/** A button that is a link: for files. */
export function ButtonLink({ look, size, className, children, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & Style) {
  return (
    <a className={buttonClasses({ ...(look && { look }), ...(size && { size }) }, className)} {...rest}>
      {children}
    </a>
  );
}
