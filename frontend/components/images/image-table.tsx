import type { Image } from "@/lib/api/client";
import { classes } from "@/lib/text/classes";
import { binarySize } from "@/lib/text/size";

const CELL = "px-3 py-2 first:pl-4 last:pr-4 sm:px-5";
const SHORT_ID = "sha256:".length + 12;

/** The images that the nodes have. `nodes`: of the cluster; what one node has, a cluster of one node has. */
export function ImageTable({ images, nodes }: { images: readonly Image[]; nodes: number }) {
  if (images.length === 0) return <p className="rounded-lg border border-line bg-surface px-4 py-10 text-center text-muted">The nodes have no images.</p>;
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-surface">
      <table className="w-full text-left">
        <caption className="sr-only">Images in the nodes</caption>
        <thead className="text-sm text-faint">
          <tr className="border-b border-line">
            <th scope="col" className={classes(CELL, "w-full font-medium")}>
              Image
            </th>
            <th scope="col" className={classes(CELL, "text-right font-medium whitespace-nowrap")}>
              Size
            </th>
            {nodes > 1 ? (
              <th scope="col" className={classes(CELL, "text-right font-medium whitespace-nowrap")}>
                Nodes
              </th>
            ) : null}
          </tr>
        </thead>
        <tbody>
          {images.map((image) => (
            <tr key={image.id} data-image={image.names[0] ?? image.id} className="border-b border-line align-top last:border-b-0">
              <td className={CELL}>
                <Names image={image} />
              </td>
              <td className={classes(CELL, "text-right whitespace-nowrap")}>{binarySize(image.size_bytes)}</td>
              {nodes > 1 ? (
                <td className={classes(CELL, "text-right whitespace-nowrap", image.nodes < nodes ? "text-text" : "text-muted")}>
                  {image.nodes < nodes ? `${image.nodes} of ${nodes}` : "all"}
                </td>
              ) : null}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Names({ image }: { image: Image }) {
  if (image.names.length === 0) {
    return (
      <span title={image.id}>
        <span className="text-faint">No name, </span>
        <span className="font-mono text-sm text-muted">{image.id.slice(0, SHORT_ID)}</span>
      </span>
    );
  }
  return (
    <ul className="font-mono text-sm">
      {image.names.map((name, index) => (
        <li key={name} className={index === 0 ? undefined : "text-muted"}>
          <Name name={name} />
        </li>
      ))}
    </ul>
  );
}

/** Where there is little room, the tag goes into a line of its own, whole. */
function Name({ name }: { name: string }) {
  const tag = /:[^:/]+$/.exec(name)?.[0] ?? "";
  return (
    <>
      {name.slice(0, name.length - tag.length)}
      <wbr />
      {tag}
    </>
  );
}
