// Bundles the script and the style into ../dist, whose contents are embedded into the binary.
import { build } from "esbuild";
import { readdir, readFile, rm } from "node:fs/promises";

const out = new URL("../dist/", import.meta.url);

// The placeholder stays: it lets a fresh clone compile before the first build.
for (const name of await readdir(out)) {
  if (name !== "placeholder.txt") await rm(new URL(name, out), { recursive: true });
}

const options = {
  absWorkingDir: new URL(".", import.meta.url).pathname,
  outdir: out.pathname,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2020", "chrome100", "firefox100", "safari15"],
  logLevel: "info",
};

// htmx comes as its makers minified it, which is a sixth smaller than esbuild gets it.
const htmx = await readFile(new URL("node_modules/htmx.org/dist/htmx.min.js", import.meta.url), "utf8");
await build({ ...options, entryPoints: ["app.js", "app.css"], banner: { js: htmx } });
await build({ ...options, entryPoints: ["chart.js", "chart.css"] });
