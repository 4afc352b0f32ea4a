/** A line of a format, with hostile text wherever a client can put some. */
import { pick, type Choices } from "./choices.ts";
import { chooseFacts } from "./facts.ts";
import { ENVELOPES, type Envelope, type Format } from "./format-table.ts";
import { chooseHostileText } from "./hostile-text.ts";
import { chooseSkeleton, renderLine, type Facts, type Skeleton, type Texts } from "./message.ts";

export interface HostileLine {
  skeleton: Skeleton;
  facts: Facts;
  envelope: Envelope;
  texts: Texts;
  /** After how many bytes a syslog daemon cuts the line; undefined: it does not. */
  cutAt: number | "busybox" | undefined;
}

/** RFC 3164, RFC 5424 (the least that may be), and the limits of daemons. */
const CUTS = ["busybox", 1_024, 480, 2_048, 4_096, 8_192] as const;

export function chooseHostileLine(format: Format, choices: Choices): HostileLine {
  const skeleton = chooseSkeleton(format, choices);
  const isOfPam = format.version === "pam" || format.version === "pam-tagged";
  const envelopes = isOfPam ? ENVELOPES.filter(({ isOwnLog }) => !isOwnLog) : ENVELOPES;
  const envelope = pick(choices, envelopes);
  const facts = chooseFacts(choices);
  // Often a client has one text in several places: the name in the head and in the message.
  const isShared = choices.below(2) === 0;
  let shared: string | undefined;
  const texts: Record<string, string> = {};
  for (const part of skeleton.clientParts) {
    const text =
      isShared && shared !== undefined ? shared : chooseHostileText(part, skeleton, choices);
    shared ??= text;
    texts[part] = text;
  }
  const cutAt = choices.below(16) === 15 ? pick(choices, CUTS) : undefined;
  // A log of Dovecot's own is no syslog daemon's.
  const isWhole = envelope.isOwnLog && cutAt === "busybox";
  return { skeleton, facts, envelope, texts, cutAt: isWhole ? undefined : cutAt };
}

export function spell({ skeleton, facts, texts, envelope, cutAt }: HostileLine): string {
  const isShortened = cutAt === "busybox";
  const line = renderLine(skeleton, facts, texts, envelope, isShortened);
  return isShortened ? line : cutLine(line, cutAt);
}

/** As a syslog daemon cuts: after so many bytes. */
function cutLine(line: string, cutAt: number | undefined): string {
  if (cutAt === undefined || line.length * 3 <= cutAt) return line;
  return Buffer.from(line).subarray(0, cutAt).toString();
}

/** Did a daemon cut the line? */
export const isCut = (line: HostileLine): boolean =>
  line.cutAt !== undefined && spell(line) !== spell({ ...line, cutAt: undefined });

/** The same line of a client that means no harm. */
export const spellPlain = ({ skeleton, facts, envelope }: HostileLine): string =>
  renderLine(skeleton, facts, undefined, envelope);

/**
 * The same line without hostile text. What the client has left empty is empty: Dovecot's lines tell
 * something else where nobody was named.
 */
export function spellHarmless({ skeleton, facts, texts, envelope }: HostileLine): string {
  const empty = Object.fromEntries(Object.entries(texts).filter(([, text]) => text === ""));
  return renderLine(skeleton, facts, empty, envelope);
}
