/** Country and owner of addresses, from the operator's databases; nothing where there are none. */
import type { Reply } from "./messages.ts";
import { useQuery } from "./use-query.ts";

type About = Reply<"about.show">["about"][number];

const MOST = 100;

/** "DE, AS64496 Example Ltd" by address, of the first hundred. */
export function useAbout(addresses: readonly string[]): ReadonlyMap<string, string> {
  const wanted = [...new Set(addresses)].slice(0, MOST);
  const { data } = useQuery("about.show", wanted.length === 0 ? undefined : { addresses: wanted });
  const known = new Map<string, string>();
  if (data?.about.length !== wanted.length) return known;
  wanted.forEach((address, index) => {
    const text = describeAbout(data.about[index] ?? null);
    if (text !== "") known.set(address, text);
  });
  return known;
}

export function describeAbout(about: About): string {
  if (!about) return "";
  const { country, asn, organization } = about;
  const owner = [asn === null ? "" : `AS${asn}`, organization ?? ""].filter(Boolean).join(" ");
  return [country ?? "", owner].filter(Boolean).join(", ");
}
