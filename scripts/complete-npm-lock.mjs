// Usage: node scripts/complete-npm-lock.mjs frontend/package-lock.json
//
// npm may leave the optional packages of other platforms out of a lock (npm/cli#4828), and `npm ci`
// then refuses it. This puts an entry for each of them back: its version is exact in the package
// that wants it, its platform is in its name. Run it after `npm install` has changed the lock.
import { readFileSync, writeFileSync } from "node:fs";

const systems = ["android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "aix", "win32"];
const processors = ["arm64", "arm", "x64", "ia32", "riscv64", "ppc64", "s390x", "loong64", "mips64el", "wasm32"];

const path = process.argv[2];
const lock = JSON.parse(readFileSync(path, "utf8"));
const isInstalled = (from, name) => {
  const places = from.split("/node_modules/");
  while (places.length > 0) {
    const place = places.join("/node_modules/");
    if (lock.packages[`${place ? `${place}/` : ""}node_modules/${name}`]) return true;
    places.pop();
  }
  return Boolean(lock.packages[`node_modules/${name}`]);
};

const added = [];
for (const [place, entry] of Object.entries({ ...lock.packages })) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isInstalled(place, name)) continue;
    if (!/^\d+\.\d+\.\d+/.test(version)) throw new Error(`${name}: ${version} is not exact`);
    const words = name.replace(/^@[^/]*\//, "").split("-");
    const os = words.find((word) => systems.includes(word));
    const cpu = words.find((word) => processors.includes(word) || word === "armv7");
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(cpu ? { cpu: [cpu === "armv7" ? "arm" : cpu] } : {}),
      dev: entry.dev,
      license: entry.license,
      optional: true,
      ...(os ? { os: [os] } : {}),
    };
    added.push(`${name}@${version}`);
  }
}
if (added.length > 0) {
  const { "": root, ...others } = lock.packages;
  const sorted = Object.fromEntries(Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1)));
  lock.packages = { "": root, ...sorted };
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(added.length === 0 ? "the lock is complete" : `added ${added.join(", ")}`);
