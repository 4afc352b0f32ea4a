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
const cells = ({ file, actions, exact, expected, counted, strangers, fail2ban }: Accuracy) =>
  line([file, actions, exact, expected, counted, strangers, fail2ban ?? "-"]);
for (const row of rows) process.stdout.write(cells(row));
const sum = (of: (row: Accuracy) => number) => rows.reduce((total, row) => total + of(row), 0);
const isExact = rows.every((row) => row.exact === row.actions && row.strangers === 0);
const share = (100 * sum(({ exact }) => exact)) / sum(({ actions }) => actions);
process.stdout.write(`exact: ${share.toFixed(2)} % of ${sum(({ actions }) => actions)} actions\n`);
process.exitCode = isExact ? 0 : 1;

function measureSet(set: (typeof CAPTURE_SETS)[number]): Accuracy[] {
  const folder = captureFolder(set);
  if (folder !== undefined) return measureAccuracy(folder, { withPeer: true });
  process.stdout.write(`accuracy: without ../shared/${set}, which is not here\n`);
  return [];
}
