"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useRef, useState } from "react";
import { PhaseLabel } from "@/components/clusters/phase-label";
import { Dialog } from "@/components/ui/dialog";
import { Notice } from "@/components/ui/notice";
import { askForOther } from "@/hooks/use-rest";
import { navigate, useRoute } from "@/hooks/use-route";
import type { Cluster } from "@/lib/api/client";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import { queries, rememberCluster } from "@/lib/api/queries";
import { applyTheme } from "@/lib/browser/theme";
import { classes } from "@/lib/text/classes";

interface Entry {
  name: string;
  cluster?: Cluster;
  run: () => void;
}

interface PaletteProps {
  onClose: () => void;
  onCreate: () => void;
  onHelp: () => void;
}

/** Everything one can go to or do, by typing a part of its name. */
export function Palette({ onClose, onCreate, onHelp }: PaletteProps) {
  const clusters = useQuery(queries.clusters()).data ?? [];
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const listId = useId();
  const client = useQueryClient();
  const route = useRoute();
  const [problem, setProblem] = useState<ApiProblem | null>(null);

  const then = (action: () => void) => () => {
    onClose();
    action();
  };
  const rest = async (cluster: Cluster) => {
    setProblem(null);
    try {
      rememberCluster(client, await askForOther(cluster));
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const isViewed = ({ id, name }: Cluster) => route.view === "cluster" && (route.id === id || route.id === name);
  // Of the other clusters only when something is typed: the list is for going somewhere first.
  const restable = clusters.filter((cluster) => (cluster.phase === "ready" || cluster.phase === "paused") && (text !== "" || isViewed(cluster)));
  const all: Entry[] = [
    { name: "New cluster", run: onCreate },
    ...clusters.map((cluster) => ({ name: cluster.name, cluster, run: then(() => navigate(`/clusters/${cluster.id}`)) })),
    ...restable.map((cluster) => ({ name: `${cluster.phase === "paused" ? "Resume" : "Pause"} ${cluster.name}`, run: () => void rest(cluster) })),
    { name: "Go to clusters", run: then(() => navigate("/")) },
    { name: "Go to templates", run: then(() => navigate("/templates")) },
    { name: "Go to account", run: then(() => navigate("/account")) },
    { name: "Light appearance", run: then(() => applyTheme("light")) },
    { name: "Dark appearance", run: then(() => applyTheme("dark")) },
    { name: "Appearance of the system", run: then(() => applyTheme("system")) },
    { name: "Keyboard shortcuts", run: onHelp },
  ];
  const words = text.toLowerCase().split(/\s+/);
  const entries = all.filter((entry) => words.every((word) => entry.name.toLowerCase().includes(word)));

  const move = (step: number) => {
    if (entries.length === 0) return;
    const next = (chosen + step + entries.length) % entries.length;
    setChosen(next);
    list.current?.children[next]?.scrollIntoView({ block: "nearest" });
  };

  return (
    <Dialog title="Command palette" hideTitle shape="top" onClose={onClose}>
      <input
        type="text"
        data-autofocus
        role="combobox"
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={entries[chosen] ? `${listId}-${chosen}` : undefined}
        aria-label="Go to a cluster or do something"
        placeholder="Go to a cluster or do something"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setChosen(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") move(1);
          else if (event.key === "ArrowUp") move(-1);
          else if (event.key === "Enter") entries[chosen]?.run();
          else return;
          event.preventDefault();
        }}
        className="border-b border-line bg-transparent px-4 py-3.5 text-lg outline-none"
      />
      <ul ref={list} id={listId} role="listbox" aria-label="What fits" className="max-h-80 overflow-y-auto p-1.5">
        {entries.map((entry, index) => (
          // The keyboard works on the input: the active option follows it.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- see above
          <li
            key={entry.cluster?.id ?? entry.name}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === chosen}
            tabIndex={-1}
            onClick={entry.run}
            onMouseMove={() => setChosen(index)}
            className={classes("flex cursor-pointer items-center justify-between gap-4 rounded-md px-2.5 py-2", index === chosen && "bg-raised")}
          >
            {entry.name}
            {entry.cluster ? <PhaseLabel cluster={entry.cluster} className="text-sm" /> : null}
          </li>
        ))}
      </ul>
      {problem ? (
        <div className="px-3 pb-3">
          <Notice title={problem.title}>{problem.words}</Notice>
        </div>
      ) : null}
      {entries.length === 0 ? <p className="px-4 pb-4 text-muted">Nothing with “{text}”.</p> : null}
    </Dialog>
  );
}
