// page.js and the D3 modules it uses, as one file that ships in the package: `npm ci && npm run build`.
import { build } from "esbuild";
import { readFileSync } from "node:fs";

const names = ["d3-color", "d3-interpolate", "d3-selection", "d3-shape", "d3-path"];
const licences = names.map((name) => readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim().split("\n"));
const licence = [...new Set(licences.map(([copyright]) => copyright)), ...licences[0].slice(1)].join("\n");
if (new Set(licences.map(([, ...rest]) => rest.join("\n"))).size > 1) throw new Error("the modules' licences differ: name each");
await build({
  entryPoints: ["page.js"],
  outfile: "../src/gatonegro/glassbox/page/page.js",
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "iife",
  globalName: "gatonegro",
  target: "es2022",
  legalComments: "none",
  banner: { js: `/* Built from web/page.js; do not edit. With ${names.join(", ")} (d3js.org), under this licence:\n${licence}\n*/` },
});
