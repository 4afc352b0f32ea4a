/** What can be wrong with a regular expression: an anchor, a repetition, a class, an alternative. */
const CLASSES: Readonly<Record<string, string>> = {
  "\\d": "\\D",
  "\\D": "\\d",
  "\\s": "\\S",
  "\\S": "\\s",
  "\\w": "\\W",
  "\\W": "\\w",
  "\\b": "",
};
const SWAPS: Readonly<Record<string, string>> = {
  ...CLASSES,
  "^": "",
  $: "",
  "?": "",
  "*": "",
  "+": "",
  "(?=": "(?!",
  "(?!": "(?=",
  "(?<=": "(?<!",
  "(?<!": "(?<=",
};
const TOKEN = /\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:[:=!]|<[=!])|[(){}|^$?*+]|[^\\[\](){}|^$?*+]/gu;
const REPETITION = /^\{\d+(?:,\d*)?\}/;

interface Token {
  text: string;
  from: number;
}

/** Every variant of `source`, which stands between the slashes, that still is an expression. */
export function mutateRegex(source: string, flags: string): { source: string; flags: string }[] {
  const variants = new Set<string>();
  const tokens = [...source.matchAll(TOKEN)].map(({ 0: text, index }) => ({ text, from: index }));
  for (const { text, from } of tokens) {
    const to = from + text.length;
    const swap = SWAPS[text];
    if (swap !== undefined) variants.add(source.slice(0, from) + swap + source.slice(to));
    if (text.startsWith("[")) {
      const negated = text.startsWith("[^") ? `[${text.slice(2)}` : `[^${text.slice(1)}`;
      variants.add(source.slice(0, from) + negated + source.slice(to));
    }
    const repetition = text === "{" ? REPETITION.exec(source.slice(from)) : null;
    if (repetition) {
      variants.add(source.slice(0, from) + source.slice(from + repetition[0].length));
    }
  }
  for (const shorter of withoutOneAlternative(source, tokens)) variants.add(shorter);
  const made = [...variants].map((variant) => ({ source: variant, flags }));
  if (flags.includes("i")) made.push({ source, flags: flags.replace("i", "") });
  return made.filter((variant) => variant.source !== "" && isExpression(variant));
}

function withoutOneAlternative(source: string, tokens: readonly Token[]): string[] {
  const variants: string[] = [];
  /** Where the alternatives of every group that is open begin; the first is the whole expression. */
  const groups: { from: number; bars: number[] }[] = [{ from: 0, bars: [] }];
  const close = (to: number) => {
    const group = groups.pop();
    if (!group || group.bars.length === 0) return;
    const starts = [group.from, ...group.bars.map((bar) => bar + 1)];
    const ends = [...group.bars, to];
    for (const [index, start] of starts.entries()) {
      const isLast = index === starts.length - 1;
      const [cutFrom, cutTo] = isLast ? [start - 1, to] : [start, (ends[index] ?? to) + 1];
      variants.push(source.slice(0, cutFrom) + source.slice(cutTo));
    }
  };
  for (const { text, from } of tokens) {
    if (text.startsWith("(")) groups.push({ from: from + text.length, bars: [] });
    else if (text === ")") close(from);
    else if (text === "|") groups.at(-1)?.bars.push(from);
  }
  close(source.length);
  return variants;
}

function isExpression({ source, flags }: { source: string; flags: string }): boolean {
  try {
    new RegExp(source, flags);
    return true;
  } catch {
    return false;
  }
}
