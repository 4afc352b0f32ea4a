/**
 * How a login line is laid out: a reason and elements, in the order of login_log_format.
 *
 *   Disconnected (auth failed, 2 attempts in 8 secs): user=<bob>, rip=192.0.2.55      %$: %s
 *   [user=<bob>, rip=192.0.2.55] Disconnected (auth failed, 2 attempts in 8 secs)     [%s] %$
 *
 * A reason is Dovecot's and begins the line, so the first place where it can end is its end. Only
 * a few reasons quote somebody else: a certificate, the server behind a proxy, an IMAP client's
 * id. There, as well as where a name stands before the reason, every place is looked at.
 */
import { ELEMENT_KEY } from "./element-tokens.ts";
import { groupAt, type Group } from "./login-groups.ts";

export interface Layout {
  /** What Dovecot says of the connection, without what somebody else is quoted with. */
  reason: string;
  /** The elements alone. */
  elements: string;
}

/** How a reason begins at a connection's end. */
const END =
  /(?:Disconnected|Aborted login|Login aborted|Remote closed|Client has quit|Timeout while|Maximum number)/y;
/** How other reasons begin. */
const TALK = /(?:Logged in$|Login$|proxy\(|Login failed|Authenticate |APOP failed)/y;
/** How reasons begin that elements follow. `ID sent: ` is none: it tells of no attempt. */
const TALKS = /(?:Logged in|Login|proxy\(|Login failed|Authenticate |APOP failed)/y;
const REASON =
  /(?:Disconnected|Aborted login|Login aborted|Logged in$|Login$|proxy\(|Login failed|Remote closed|Client has quit|Timeout while|Maximum number|Authenticate |APOP failed)/g;
/** Behind a reason: `: user=<bob>`, ` [user=<bob>`, ` user=<bob>`. */
const ELEMENTS_BEHIND = new RegExp(`(?:: | [[({]|:[[({]| )(?=${ELEMENT_KEY})`, "y");
const ELEMENTS_FOLLOW = new RegExp(`(?:: | [[({]|:[[({])(?=${ELEMENT_KEY})`, "g");
/** The elements come first, perhaps in brackets. */
const ELEMENTS_FIRST = new RegExp(`[[({]{0,2}(?=${ELEMENT_KEY})`, "y");
/** What stands between elements and a reason behind them. */
const BETWEEN = ": ,";
/** `Disconnected: Maximum number of connections ...`: the reason has begun before. */
const REASON_ALREADY = /(?:Disconnected|Aborted login|Login aborted):? $/;
const MAX_LAYOUTS = 32;

/** Every way to lay out what stands behind `imap-login: `; more than a few are too many. */
export function findLayouts(body: string): Layout[] {
  ELEMENTS_FIRST.lastIndex = 0;
  if (ELEMENTS_FIRST.test(body)) return elementsFirst(body, ELEMENTS_FIRST.lastIndex);
  const usual = readUsual(body);
  if (usual) return [usual];
  END.lastIndex = 0;
  if (END.test(body)) return findEnds(body);
  TALKS.lastIndex = 0;
  return TALKS.test(body) ? elementsAnywhere(body) : [];
}

/** `Login: user=<bob>, ...` and `Logged in: user=<bob>, ...`: most lines of most logs. */
function readUsual(body: string): Layout | undefined {
  if (body.startsWith("Login: user=<")) return { reason: "Login", elements: body.slice(7) };
  if (body.startsWith("Logged in: user=<"))
    return { reason: "Logged in", elements: body.slice(11) };
  return undefined;
}

/** A connection's end, `Disconnected: Inactivity (auth failed, 2 attempts in 8 secs)`. */
function findEnds(body: string): Layout[] {
  const groups = groupsOf(body);
  const [first] = groups;
  const follow = body.search(ELEMENTS_FOLLOW);
  const head = body.slice(0, first && (follow < 0 || first.from < follow) ? first.from : follow);
  const isQuoting = quotes(head) || first?.isQuoting === true;
  // Disconnected: Inactivity: user=<..>: the reason has no group; one behind it is client text.
  if (!first || (!isQuoting && follow >= 0 && follow < first.from)) {
    return isQuoting ? elementsAnywhere(body) : elementsAnywhere(body).slice(0, 1);
  }
  const layouts: Layout[] = [];
  for (const group of isQuoting ? groups : [first]) {
    for (const end of group.ends) {
      ELEMENTS_BEHIND.lastIndex = end;
      if (!ELEMENTS_BEHIND.test(body)) continue;
      const reason = `${isQuoting ? "Disconnected" : head}${body.slice(group.from, end)}`;
      layouts.push(layout(body, reason, end, ELEMENTS_BEHIND.lastIndex));
    }
  }
  return layouts;
}

/** `Received invalid SSL certificate: self-signed certificate: /CN=...`: the client's own words. */
function quotes(head: string): boolean {
  return head.includes("SSL certificate");
}

/** ` (auth failed, 2 attempts in 8 secs) (auth_failed)`, and others that a quotation may hold. */
function groupsOf(text: string): Group[] {
  const groups: Group[] = [];
  for (let at = text.indexOf(" ("); at >= 0; at = text.indexOf(" (", at + 1)) {
    const group = groupAt(text, at);
    if (group) groups.push(group);
    if (groups.length > MAX_LAYOUTS) return [];
    // Only what quotes somebody has a second one; nearly no line does.
    if (groups.length === 1 && group && !group.isQuoting && !quotes(text.slice(0, at))) break;
  }
  return groups;
}

/** Every place where elements may begin. */
function elementsAnywhere(body: string): Layout[] {
  const layouts: Layout[] = [];
  for (const { index, 0: mark } of body.matchAll(ELEMENTS_FOLLOW)) {
    layouts.push(layout(body, body.slice(0, index), index, index + mark.length));
    if (layouts.length > MAX_LAYOUTS) return [];
  }
  return layouts;
}

function layout(body: string, reason: string, end: number, from: number): Layout {
  const isBracketed = /[[({]/.test(body.slice(end, from));
  const elements = body.slice(from);
  return { reason, elements: isBracketed ? elements.replace(/[\])}]$/, "") : elements };
}

/** `[user=<bob>, ...] Disconnected (..)`: the reason may begin wherever the rest is one. */
function elementsFirst(body: string, from: number): Layout[] {
  const layouts: Layout[] = [];
  for (const { index: at } of body.matchAll(REASON)) {
    if (at < from || body[at - 1] !== " ") continue;
    const before = body.slice(from, at);
    if (REASON_ALREADY.test(before.slice(-20))) continue;
    const behind = withoutBetween(before);
    const elements = from > 0 ? behind.replace(/[\])}]$/, "") : behind;
    for (const reason of wholeReasons(body.slice(at))) layouts.push({ reason, elements });
    if (layouts.length > MAX_LAYOUTS) return [];
  }
  return layouts;
}

/** A pattern would look at a row of spaces once for each of them. */
function withoutBetween(elements: string): string {
  let end = elements.length;
  while (end > 0 && BETWEEN.includes(elements.charAt(end - 1))) end -= 1;
  return elements.slice(0, end);
}

/** Every reason that the text can be as a whole: one that quotes somebody may have several groups. */
function wholeReasons(text: string): string[] {
  TALK.lastIndex = 0;
  if (TALK.test(text)) return [text];
  const groups = groupsOf(text);
  const [first] = groups;
  if (!first) return [text];
  const head = text.slice(0, first.from);
  const isQuoting = quotes(head) || first.isQuoting;
  return (isQuoting ? groups : [first])
    .filter(({ ends }) => ends.includes(text.length))
    .map(({ from }) => `${isQuoting ? "Disconnected" : head}${text.slice(from)}`);
}
