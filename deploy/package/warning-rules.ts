/**
 * deploy/prometheus/warnings.rules.yml, made from the registry of warnings: one alert for each code,
 * with a link to its section of docs/troubleshooting.md.
 */
import { resolve } from "node:path";
import { stringify } from "yaml";
import { WARNINGS } from "../../services/wire/warnings.ts";
import { formatted } from "./formatted.ts";

export const WARNING_RULES = resolve(import.meta.dirname, "../prometheus/warnings.rules.yml");

export const RUNBOOKS = "https://example.org/fleetban/docs/troubleshooting.md";

/** fleetban.rules.yml has an alert of its own for these, which names the host. */
export const ALERTED_BY_HAND: readonly string[] = ["host-down"];

const HEAD = `# An alert for each warning of fleetban. Made by npm run docs from services/wire/warnings.ts:
# change that, not this.
`;

/** What a warning that holds so long is. */
const HOLDS_FOR = { high: "2m", medium: "15m", low: "6h" } as const;
const SEVERITY = { high: "critical", medium: "warning", low: "info" } as const;

export function warningRules(): string {
  const rules = Object.entries(WARNINGS)
    .filter(([code]) => !ALERTED_BY_HAND.includes(code))
    .map(([code, { severity, title }]) => {
      // Some warnings grow graver with time: their alert begins where they do.
      const grade = typeof severity === "function" ? "medium" : severity;
      return {
        alert: alertOf(code),
        expr: `max by (code) (fleetban_warnings{code="${code}"}) > 0`,
        for: HOLDS_FOR[grade],
        labels: { severity: SEVERITY[grade] },
        annotations: {
          summary: `fleetban: ${title}`,
          description: "This holds {{ $value }} times now: fleetban status says where.",
          runbook_url: `${RUNBOOKS}#${anchorOf(code, title)}`,
        },
      };
    });
  const text =
    HEAD + stringify({ groups: [{ name: "fleetban-warnings", rules }] }, { lineWidth: 0 });
  return formatted(text, WARNING_RULES);
}

/** "host-down": FleetbanHostDown. */
export const alertOf = (code: string) =>
  `Fleetban${code.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())}`;

/** What the heading of a section becomes as the end of a link. */
export function anchorOf(code: string, title: string): string {
  return `${code}: ${title}`
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\- ]/gu, "")
    .replaceAll(" ", "-");
}
