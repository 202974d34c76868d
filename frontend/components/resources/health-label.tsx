import { Fragment } from "react";
import { CheckIcon, CircleIcon, CrossIcon, DashIcon } from "@/components/ui/icons";
import type { Health } from "@/lib/resources/reduce";
import { classes } from "@/lib/text/classes";

const LOOKS: Record<Health, { color: string; Icon: (props: { className?: string }) => React.ReactNode }> = {
  ok: { color: "text-good", Icon: CheckIcon },
  busy: { color: "text-accent", Icon: CircleIcon },
  bad: { color: "text-bad", Icon: CrossIcon },
  done: { color: "text-muted", Icon: DashIcon },
};

/** A status in Kubernetes' own word, with a colour and a shape. */
export function HealthLabel({ health, children }: { health: Health; children: string }) {
  const { color, Icon } = LOOKS[health];
  return (
    <span data-health={health} className={classes("inline-flex min-w-0 items-center gap-1.5", color, health === "bad" && "font-medium")}>
      <Icon className="size-3.5 shrink-0" />
      <span className="[overflow-wrap:break-word]">
        {/* Kubernetes' words are long, and may break before a capital. */}
        {children.split(/(?<=[a-z:])(?=[A-Z])/).map((part, index) => (
          <Fragment key={index}>
            {index > 0 ? <wbr /> : null}
            {part}
          </Fragment>
        ))}
      </span>
    </span>
  );
}
