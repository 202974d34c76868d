import type { ReactNode } from "react";
import { classes } from "@/lib/text/classes";

interface IconProps {
  className?: string;
}

/** All icons are drawn on one 16 px grid with one stroke, and are silent: a word stands beside each. */
function icon(body: ReactNode, strokeWidth = 1.5) {
  return function Icon({ className }: IconProps) {
    return (
      <svg
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth={strokeWidth}
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        className={classes("size-4 shrink-0", className)}
      >
        {body}
      </svg>
    );
  };
}

export const CheckIcon = icon(<path d="m3 8.500 3.200 3.200L13 4.800" />, 1.75);
export const CrossIcon = icon(<path d="m4 4 8 8m0-8-8 8" />, 1.75);
export const PauseIcon = icon(<path d="M5.500 3.500v9m5-9v9" />, 2.25);
export const PlayIcon = icon(<path d="M5 3.200v9.600l7.500-4.800z" />);
export const ClockIcon = icon(
  <>
    <circle cx="8" cy="8" r="5.500" />
    <path d="M8 5v3l2 1.500" />
  </>,
);
export const CircleIcon = icon(<circle cx="8" cy="8" r="4.500" />);
export const TrashIcon = icon(<path d="M2.500 4.500h11M6 4.500v-2h4v2m2 0-.6 9H4.600l-.6-9" />);
export const CopyIcon = icon(
  <>
    <rect x="5.500" y="5.500" width="8" height="8" rx="1.500" />
    <path d="M10.500 3V3a1 1 0 0 0-1-.5h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 .5.9" />
  </>,
);
export const DownloadIcon = icon(<path d="M8 2.500v7.500m0 0 3-3m-3 3-3-3M2.500 13.500h11" />);
export const UploadIcon = icon(<path d="M8 10V2.500m0 0 3 3m-3-3-3 3M2.500 13.500h11" />);
export const SearchIcon = icon(
  <>
    <circle cx="7" cy="7" r="4.500" />
    <path d="m10.500 10.500 3 3" />
  </>,
);
export const ChevronDownIcon = icon(<path d="m4 6 4 4 4-4" />);
export const ChevronUpIcon = icon(<path d="m4 10 4-4 4 4" />);
export const ArrowDownIcon = icon(<path d="M8 3v10m0 0 4-4m-4 4-4-4" />);
export const PlusIcon = icon(<path d="M8 3.500v9M3.500 8h9" />, 1.75);
export const DashIcon = icon(<path d="M4 8h8" />, 1.75);

export function SpinnerIcon({ className }: IconProps) {
  return (
    <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth={1.75} aria-hidden="true" className={classes("size-4 shrink-0", className)}>
      <circle cx="8" cy="8" r="5.500" opacity="0.25" />
      <path d="M8 2.500A5.500 5.500 0 0 1 13.500 8" strokeLinecap="round" className="spin origin-center" />
    </svg>
  );
}

export function LogoIcon({ className }: IconProps) {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth={1.75} strokeLinejoin="round" strokeLinecap="round" aria-hidden="true" className={classes("size-6 shrink-0 text-accent", className)}>
      <path d="M12 2.500 20 7v10l-8 4.500L4 17V7z" />
      <path d="M12 8.500v7M8.500 12h7" />
    </svg>
  );
}
