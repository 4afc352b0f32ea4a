/** fail2ban's tags: `<name>`, `<section/name>` and `<mdre-<mode>>` stand for options of a file. */
import { lookUp, valueOf, type Ini } from "./ini.ts";

const DEFINITION = "Definition";
/** Tags within tags. */
const MAX_DEPTH = 20;
/** Tags that fail2ban itself fills in while it runs, which stay as they are. */
const LIVE_TAG = /^(?:F-|HOST$|ADDR$|IP[46]$|CIDR$|SUBNET$|DNS$|SKIPLINES$)/;

/** The text with every tag replaced that has a value; others stay. */
export function replaceTags(ini: Ini, options: ReadonlyMap<string, string>, text: string): string {
  let value = text;
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    const replaced = value.replace(/<([\w-]+(?:\/[\w-]+)?)>/g, (tag, name: string) => {
      if (LIVE_TAG.test(name)) return tag;
      const found = options.get(name.toLowerCase()) ?? sectionValue(ini, name);
      return found ?? tag;
    });
    if (replaced === value) return value;
    value = replaced;
  }
  return value;
}

function sectionValue(ini: Ini, name: string): string | undefined {
  const slash = name.indexOf("/");
  if (slash < 0) return undefined;
  const [section, option] = [name.slice(0, slash), name.slice(slash + 1).toLowerCase()];
  return section === "known"
    ? lookUp(ini, DEFINITION, `known/${option}`)
    : valueOf(ini, section, option);
}
