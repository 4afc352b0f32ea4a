import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const CSS = readFileSync("services/web/browser/styles/colors.css", "utf8");

/** The custom properties of each block of the style sheet: light, dark by the system, dark by choice. */
const THEMES = [...CSS.matchAll(/:root[^{]*\{([^}]*)\}/g)].map(
  ([, block = ""]) =>
    new Map(
      [...block.matchAll(/(--[\w-]+): (#[0-9a-f]+);/g)].map(([, name, color]) => [name, color]),
    ),
);

/** WCAG 2.2, relative luminance and contrast ratio. */
function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
}

function contrast(a: string, b: string): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const GROUNDS = ["--ground", "--surface", "--surface-soft"];
const TEXT: [ink: string, grounds: string[]][] = [
  ["--ink", [...GROUNDS, "--accent-ground", "--look-ground", "--bad-ground"]],
  ["--ink-soft", [...GROUNDS, "--accent-ground"]],
  ["--ink-faint", [...GROUNDS, "--accent-ground"]],
  ["--accent", [...GROUNDS, "--accent-ground"]],
  ["--on-accent", ["--accent"]],
  ["--good", [...GROUNDS, "--good-ground"]],
  ["--look", [...GROUNDS, "--look-ground"]],
  ["--bad", [...GROUNDS, "--bad-ground"]],
];

test("every text has WCAG's contrast AA in light and dark, and so have lines that mean something", () => {
  assert.equal(THEMES.length, 3);
  for (const [index, colors] of THEMES.entries()) {
    const check = (ink: string, ground: string, least: number) => {
      const ratio = contrast(colors.get(ink) ?? "", colors.get(ground) ?? "");
      assert.ok(ratio >= least, `theme ${index}: ${ink} on ${ground} is ${ratio.toFixed(2)} to 1`);
    };
    for (const [ink, grounds] of TEXT) for (const ground of grounds) check(ink, ground, 4.5);
    for (const line of ["--line-strong", "--series-1", "--series-2", "--accent"]) {
      check(line, "--surface", 3);
    }
  }
});

test("dark is the same by the system and by choice", () => {
  assert.deepEqual(THEMES[1], THEMES[2]);
});
