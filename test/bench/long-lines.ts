/**
 * How long the worst line takes: lines of every format with one piece of hostile text again and
 * again, in messages of 4 and 8 thousand characters (longer ones are not read) and in lines of 64
 * thousand. Time that grows with the square of the length would be four times as long for twice
 * the length.
 */
import { choicesOfSeed } from "../harness/line-formats/choices.ts";
import { chooseFacts } from "../harness/line-formats/facts.ts";
import { ENVELOPES, FORMATS } from "../harness/line-formats/format-table.ts";
import { chooseSkeleton } from "../harness/line-formats/message.ts";
import { READ_AT } from "../harness/line-formats/judge.ts";
import { readLine } from "../../services/detection/dovecot/read-line.ts";
import type { Figure } from "./figure.ts";

const PIECES = [
  ",9.9.9.9): ",
  "): unknown user ",
  ",9.9.9.9,sasl:plain)<x>: ",
  ", rip=9.9.9.9",
  " rhost=9.9.9.9",
  "  user=bob",
  ">, method=PLAIN",
  ": user=<",
  " (auth failed, ",
  "session=<x>, ",
  "message repeated 2 times: [ ",
  "[",
  "<",
  "{",
  "a",
  "1",
  " ",
];

/** JSON that ends too early, and JSON of many records. */
const JSON_HEADS = ["{", "[", '{"', '{"log":"x', '{"streams":['];
const JSON_PIECES = ["{", "[", '"', '{"', '{"a":[', '{"" ', '{"a":1,', '{"log":"auth: x"}'];

interface Worst {
  micros: number;
  text: string;
}

export function run(): Promise<Figure[]> {
  const messages = (length: number) => measure(`${length} characters`, linesOf(length));
  messages(1_000); // the first lines are read before the code is compiled
  const [four, eight, whole] = [messages(3_900), messages(7_800), messages(64_000)];
  const json = measure("JSON", jsonOf(64_000));
  const figure = (name: string, { micros }: Worst): Figure => ({ name, value: micros, unit: "us" });
  return Promise.resolve([
    figure("worst message of 4,000 characters", four),
    figure("worst message of 8,000 characters", eight),
    figure("worst line of 64,000 characters", whole),
    figure("worst line of 64,000 characters of JSON", json),
  ]);
}

/** The best of three tries for each line, and of all lines the worst. */
function measure(name: string, lines: Iterable<string>): Worst {
  let worst: Worst = { micros: 0, text: "" };
  for (const text of lines) {
    let best = Infinity;
    for (let turn = 0; turn < 3; turn += 1) {
      const began = performance.now();
      readLine(text, READ_AT);
      best = Math.min(best, 1_000 * (performance.now() - began));
    }
    if (best > worst.micros) worst = { micros: best, text };
  }
  process.stderr.write(`bench: worst of ${name}: ${worst.text.slice(0, 200)}\n`);
  return worst;
}

/** Of each format one line for each piece, in one envelope after the other. */
function* linesOf(length: number): Generator<string> {
  const choices = choicesOfSeed(7);
  let turn = 0;
  for (const format of FORMATS) {
    const { parts, clientParts } = chooseSkeleton(format, choices);
    const facts = new Map<string, string>(Object.entries(chooseFacts(choices)));
    if (clientParts.length === 0) continue;
    for (const piece of PIECES) {
      const long = piece.repeat(Math.ceil(length / piece.length / clientParts.length));
      const message = parts
        .map((part, index) =>
          index % 2 === 0 ? part : part === "level" ? "" : (facts.get(part) ?? long),
        )
        .join("")
        .slice(0, length);
      turn += 1;
      const envelope = ENVELOPES[turn % ENVELOPES.length]?.text ?? "{message}";
      yield envelope
        .replace("{program}", () => (format.version.startsWith("pam") ? "auth" : "dovecot"))
        .replace(/\{(?:message|own|json|own-json)\}/, () => message);
    }
  }
}

function* jsonOf(length: number): Generator<string> {
  for (const head of JSON_HEADS) {
    for (const piece of JSON_PIECES) {
      for (const tail of ["", "}", "]"]) {
        yield head + piece.repeat(Math.floor((length - 20) / piece.length)) + tail;
      }
    }
  }
}
