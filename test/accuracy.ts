/**
 * npm run accuracy
 *
 * Holds fleetban to captures of real Dovecot runs, where it is known what had happened
 * (those of `../shared`, where they are, and those of `test/corpus/captures`): attempts counted
 * per action and address, beside fail2ban's where that is installed.
 */
import { CAPTURE_SETS, captureFolder, measureAccuracy, type Accuracy } from "./harness/captures.ts";
import { measureOwnCaptures } from "./harness/own-captures.ts";

const rows = [
  ...CAPTURE_SETS.flatMap(measureSet),
  ...measureOwnCaptures("in time", { withPeer: true }),
];
const line = (cells: (string | number)[]) =>
  `${String(cells[0]).padEnd(38)}${cells
    .slice(1)
    .map((cell) => String(cell).padStart(11))
    .join("")}\n`;
process.stdout.write(
  line(["file", "actions", "exact", "expected", "counted", "strangers", "fail2ban"]),
);
const cells = (row: Accuracy) =>
  line([
    ...[row.file, row.actions, row.exact, expectedOf(row), row.counted, row.strangers],
    row.fail2ban ?? "-",
  ]);
for (const row of rows) process.stdout.write(cells(row));
const sum = (of: (row: Accuracy) => number) => rows.reduce((total, row) => total + of(row), 0);
const isExact = rows.every((row) => row.exact === row.actions && row.strangers === 0);
const share = (100 * sum(({ exact }) => exact)) / sum(({ actions }) => actions);
process.stdout.write(`exact: ${share.toFixed(2)} % of ${sum(({ actions }) => actions)} actions\n`);
process.exitCode = isExact ? 0 : 1;

/**
 * `58-60`: Dovecot counted exchanges that were broken off as attempts, and its passdb writes no line about
 * unknown users, so fleetban cannot tell them from refusals (docs/how-attempts-are-counted.md, rule 2).
 */
function expectedOf({ expected, fewest }: Accuracy): string {
  return fewest === expected ? String(expected) : `${fewest}-${expected}`;
}

function measureSet(set: (typeof CAPTURE_SETS)[number]): Accuracy[] {
  const folder = captureFolder(set);
  if (folder !== undefined) return measureAccuracy(folder, { withPeer: true });
  process.stdout.write(`accuracy: without ../shared/${set}, which is not here\n`);
  return [];
}
