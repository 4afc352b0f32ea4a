/** Links between the documents: each leads to a file that is there, and to one of its headings. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";

const ROOT = resolve(import.meta.dirname, "../../..");
const DOCUMENTS = execFileSync(
  "find",
  [".", "-name", "*.md", "-not", "-path", "*/node_modules/*"],
  {
    cwd: ROOT,
    encoding: "utf8",
  },
)
  .split("\n")
  .filter((file) => file !== "" && !file.startsWith("./dist/"));

for (const document of DOCUMENTS) {
  test(`every link of ${relative(".", document)} leads somewhere`, () => {
    for (const target of linksOf(readFileSync(join(ROOT, document), "utf8"))) {
      const [path = "", heading] = target.split("#");
      const file = path === "" ? join(ROOT, document) : join(ROOT, dirname(document), path);
      assert.ok(existsSync(file), `${document}: ${target}: there is no such file`);
      if (heading === undefined || statSync(file).isDirectory()) continue;
      const anchors = anchorsOf(readFileSync(file, "utf8"));
      assert.ok(anchors.includes(heading), `${document}: ${target}: there is no such heading`);
    }
  });
}

test("GitHub's anchor of a heading has neither punctuation nor capitals", () => {
  assert.deepEqual(anchorsOf("# A `b-c`: NATS's d\n\n```sh\n# no heading\n```\n\n## X, y"), [
    "a-b-c-natss-d",
    "x-y",
  ]);
});

/** `[text](target)` and `[name]: target`, without links to other sites. */
function linksOf(text: string): string[] {
  const prose = withoutBlocks(text);
  const inline = [...prose.matchAll(/\]\(([^)\s]+)\)/g)];
  const named = [...prose.matchAll(/^\[[^\]]+\]: (\S+)$/gm)];
  return [...inline, ...named]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function anchorsOf(text: string): string[] {
  return [...withoutBlocks(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

const withoutBlocks = (text: string) => text.replace(/^ *```[^]*?^ *```$/gm, "");
