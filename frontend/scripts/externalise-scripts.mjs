// Moves the inline scripts of the built pages into files, so that the pages run under `script-src 'self'`.
// Next writes its payload as inline scripts that only push onto a queue: where they come from makes no difference.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const INLINE = /<script(?<attributes>(?:\s+(?!src=)[\w-]+(?:="[^"]*")?)*)\s*>(?<body>[\s\S]*?)<\/script>/g;

const targets = {
  static: { pages: "out", assets: "out/_next/static/inline" },
  standalone: { pages: ".next/standalone/.next/server/app", assets: ".next/static/inline" },
};

const target = targets[process.argv[2]];
if (!target) {
  console.error("usage: externalise-scripts.mjs static|standalone");
  process.exit(2);
}

async function* htmlFiles(directory) {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* htmlFiles(path);
    else if (entry.name.endsWith(".html")) yield path;
  }
}

await mkdir(target.assets, { recursive: true });
let moved = 0;
for await (const path of htmlFiles(target.pages)) {
  const scripts = new Map();
  const html = (await readFile(path, "utf8")).replace(INLINE, (_whole, attributes, body) => {
    const name = `${createHash("sha256").update(body).digest("hex").slice(0, 20)}.js`;
    scripts.set(name, body);
    return `<script${attributes} src="/_next/static/inline/${name}"></script>`;
  });
  for (const [name, body] of scripts) await writeFile(join(target.assets, name), body);
  await writeFile(path, html);
  moved += scripts.size;
}
console.log(`moved ${moved} inline scripts into ${target.assets}`);
