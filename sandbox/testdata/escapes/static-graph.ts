// Deno's static module graph is not subject to permissions: whatever makes the
// program, or a part of it, a file of that graph reads any file.
// main: as the main module of a Deno without permissions these do get out.

//// text-import: denied, main
import secret from "file://{{secretFile}}" with { type: "text" };
return "ESCAPED: " + secret;

//// text-import-by-path: denied, main
import secret from "{{secretFile}}" with { type: "text" };
return "ESCAPED: " + secret;

//// json-import: denied, main
import secret from "{{secretJson}}" with { type: "json" };
return "ESCAPED: " + secret.secret;

//// bytes-import: denied
import secret from "{{secretFile}}" with { type: "bytes" };
return "ESCAPED: " + t.text(secret);

//// module-import: denied, main
import { secret } from "{{secretJs}}";
return "ESCAPED: " + secret;

//// namespace-import: denied, main
import * as all from "file://{{secretJs}}";
return "ESCAPED: " + all.secret;

//// side-effect-import-of-what-is-no-module: denied, main
// The syntax error shows a line of it.
import "{{secretTs}}";
return 1;

//// commonjs-import: denied
import secret from "{{secretCjs}}";
return "ESCAPED: " + secret;

//// relative-import: denied
import secret from "../../../../../../../../../../..{{secretJs}}";
return "ESCAPED: " + secret;

//// import-below-a-virtual-module: denied
import secret from "./targets/../../../../../../../../..{{secretJs}}";
return "ESCAPED: " + secret;

//// import-with-a-query: denied
import secret from "{{secretJs}}?x#y";
return "ESCAPED: " + secret;

//// type-only-import: denied
import type { secret } from "{{secretJs}}";
return t.denied("erased") + (0 as any as typeof secret);

//// import-defer: denied
//// expect: ^rejected
import defer * as all from "{{secretJs}}";
return "ESCAPED: " + all.secret;

//// import-source: denied
//// expect: ^rejected
import source secret from "{{secretFile}}";
return "ESCAPED: " + secret;

//// re-export: denied
//// expect: ^rejected
export * from "{{secretJs}}";

//// re-export-by-name: denied
//// expect: ^rejected
export { secret } from "{{secretJs}}";

//// import-equals: denied
//// expect: ^rejected
import secret = require("{{secretCjs}}");
return "ESCAPED: " + secret;

//// require-literal: denied
//// expect: ^rejected|require is not
return "ESCAPED: " + require("{{secretCjs}}");

//// dynamic-literal: denied, main
return "ESCAPED: " + (await import("{{secretJson}}", { with: { type: "json" } })).default.secret;

//// dynamic-literal-template: denied
return "ESCAPED: " + (await import(`{{secretJson}}`, { with: { type: "json" } })).default.secret;

//// dynamic-constant-folded: denied
return "ESCAPED: " + (await import("{{secretJs}}" + "")).secret;

//// dynamic-conditional: denied
return "ESCAPED: " + (await import(Date.now() > 0 ? "{{secretJs}}" : "./targets")).secret;

//// dynamic-in-dead-code: denied
if (Date.now() < 0) await import("{{secretJs}}");
return t.denied("never reached");

//// dynamic-computed-text: denied, os
const path = "file://" + t.secretFile;
return "ESCAPED: " + (await import(path, { with: { type: "text" } })).default;

//// dynamic-computed-json: denied, os
const path = "file://" + t.secretJson;
return "ESCAPED: " + (await import(path, { with: { type: "json" } })).default.secret;

//// dynamic-computed-module: denied, os
const path = "file://" + t.secretJs;
return "ESCAPED: " + (await import(path)).secret;

//// dynamic-computed-bytes: denied
//// expect: runtime_error
const path = "file://" + t.secretFile;
return "ESCAPED: " + t.text((await import(path, { with: { type: "bytes" } })).default);

//// dynamic-syntax-error-shows-the-file: denied, os
const path = "file://" + t.secretFile;
return await import(path).then(() => "ESCAPED: it is a module", (e) => t.denied(e.message));

//// dynamic-relative-to-nothing: denied
//// expect: runtime_error
const path = "../../../../../../../.." + t.secretJs;
return "ESCAPED: " + (await import(path)).secret;

//// wrapper-breakout: denied
//// expect: ^rejected
// The program closes the function into which it is put.
return 1; };
import secret from "file://{{secretFile}}" with { type: "text" };
const f = async () => { return "ESCAPED: " + secret;

//// wrapper-breakout-by-template: denied
//// expect: ^rejected|ok "; };
`; }; import secret from "file://{{secretFile}}" with { type: "text" }; export default () => { return `

//// comment-that-hides-an-import: denied
/* // */ import secret from "{{secretFile}}" with { type: "text" }; /*
*/ return "ESCAPED: " + secret;

//// html-comment-that-hides-an-import: denied
//// expect: ^rejected
<!-- ; import secret from "{{secretFile}}" with { type: "text" };
return "ESCAPED: " + secret;

//// line-separator-that-hides-an-import: denied
const a = 1; // end import secret from "{{secretJs}}"; return "ESCAPED: " + secret;
return t.denied(a);

//// escaped-keyword: denied
//// expect: ^rejected
\u0069mport secret from "{{secretJs}}";
return "ESCAPED: " + secret;

//// node-specifier-with-a-path: denied
//// expect: runtime_error
import secret from "node:{{secretJs}}";
return "ESCAPED: " + secret;

//// node-specifier-with-dots: denied
//// expect: runtime_error
import secret from "node:fs/../../../../../..{{secretJs}}";
return "ESCAPED: " + secret;

//// data-url-import: denied
import secret from "data:text/javascript,import s from 'file://{{secretFile}}' with { type: 'text' }; export default s";
return "ESCAPED: " + secret;

//// data-module-with-a-static-import: denied, os
// CVE-2021-32619: static imports of a dynamic import were not checked.
const code = `import s from "file://${t.secretFile}" with { type: "text" }; export default s;`;
const url = "data:text/javascript," + encodeURIComponent(code);
return "ESCAPED: " + (await import(url)).default;

//// blob-module-with-a-static-import: denied, os
const code = `import s from "file://${t.secretJson}" with { type: "json" }; export default s.secret;`;
const url = URL.createObjectURL(new Blob([code], { type: "application/typescript" }));
return "ESCAPED: " + (await import(url)).default;

//// blob-module-with-a-literal-dynamic-import: denied, os
const code = `export default (await import("file://${t.secretJson}", { with: { type: "json" } })).default.secret;`;
const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
return "ESCAPED: " + (await import(url)).default;

//// two-data-modules-deep: denied, os
const inner = `export { default } from "file://${t.secretJs}";`;
const outer = `export { default } from "data:text/javascript,${encodeURIComponent(inner)}";`;
const url = "data:text/javascript," + encodeURIComponent(outer);
return "ESCAPED: " + (await import(url)).default;

//// function-constructor: denied, os
const f = new Function("path", "return import(path)");
return "ESCAPED: " + (await f("file://" + t.secretJs)).secret;

//// indirect-eval: denied, os
return "ESCAPED: " + (await (0, eval)(`import("file://${t.secretJs}")`)).secret;

//// triple-slash-reference: denied
//// expect: ^ok "denied: 
/// <reference path="{{secretFile}}" />
/// <reference types="file://{{secretFile}}" />
// @deno-types="{{secretFile}}"
// @ts-types="{{secretFile}}"
return t.denied("a comment");

//// jsx-import-source: denied
//// expect: ^ok "denied: 
/** @jsx h @jsxImportSource file://{{dir}} */
return t.denied("a comment");

//// source-map-comment: denied
//// expect: runtime_error Error: mapped|line \d+, column \d+: Error: mapped
// A source map could make the error show lines of another file.
throw new Error("mapped");
//# sourceMappingURL=file://{{secretJson}}

//// source-map-of-a-blob-module: denied
//// expect: ^ok "denied: 
const map = { version: 3, sources: ["file://" + t.secretFile], names: [], mappings: "AAAA" };
const code = `throw new Error("mapped")\n//# sourceMappingURL=data:application/json;base64,${btoa(JSON.stringify(map))}`;
const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
return await import(url).catch((e) => t.denied(e.stack) + Deno.inspect(e).replaceAll("ESCAPED", ""));

//// source-url-of-another-file: denied
//// expect: denied: |not caught: here
// An error that nobody catches is shown with its source line.
const f = new Function(`throw new Error("here");\n//# sourceURL=file://${t.secretFile}`);
setTimeout(f);
await t.sleep(100);
return t.denied("nothing was shown");

//// evaluated-under-a-file-name: denied
//// expect: runtime_error|denied: 
// What is evaluated under the name of a file could pass for a file of the graph.
const core = Deno[Deno.internal].core;
const [value, thrown] = core.evalContext(`import("./secret.js")`, "file://" + t.dir + "/x.js");
if (thrown) return t.denied(thrown.thrown);
return "ESCAPED: " + (await value).secret;

//// compiled-under-a-file-name: denied
//// expect: runtime_error|denied: 
const core = Deno[Deno.internal].core;
const [f, thrown] = core.compileFunction(`return import("./secret.json", { with: { type: "json" } })`, "file://" + t.dir + "/x.js", undefined, undefined, []);
if (thrown) return t.denied(thrown.thrown);
return "ESCAPED: " + (await f()).default.secret;
