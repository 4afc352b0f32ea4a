/** Sessions by chance: the same seed makes the same ones. */
import { bye, byCram, byDigest, byScram, IMAP, login, POP3, say, type Action } from "./action.ts";
import { base64, plain } from "./sasl.ts";
import type { Talk } from "./talk.ts";

export type Random = () => number;

/** Mulberry32: good enough to choose with, and short. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Part = (talk: Talk) => Promise<void>;
type Try = (user: string, password: string) => Part;

interface Service {
  name: string;
  port: number;
  isTls?: true;
  before: Part;
  tries: readonly Try[];
  /** Need mechanisms that not every configuration has. */
  moreTries: readonly Try[];
  bye: Part;
}

const imap: Pick<Service, "before" | "tries" | "moreTries" | "bye"> = {
  before: say(),
  tries: [
    (user, password) => say(login(user, password)),
    (user, password) => say(`a1 AUTHENTICATE PLAIN ${plain(user, password)}`),
    (user, password) => say("a1 AUTHENTICATE PLAIN", plain(user, password)),
  ],
  moreTries: [
    byCram,
    byDigest,
    byScram,
    (user, password) => say("a1 AUTHENTICATE LOGIN", base64(user), base64(password)),
  ],
  bye: say(bye),
};

const SERVICES: readonly Service[] = [
  { name: "IMAP", port: IMAP, ...imap },
  { name: "IMAPS", port: 993, isTls: true, ...imap },
  {
    name: "POP3",
    port: POP3,
    before: say(),
    tries: [
      (user, password) => say(`USER ${user}`, `PASS ${password}`),
      (user, password) => say(`AUTH PLAIN ${plain(user, password)}`),
    ],
    moreTries: [(user, password) => say("AUTH LOGIN", base64(user), base64(password))],
    bye: say("QUIT"),
  },
];

const inTurn =
  (...parts: readonly Part[]): Part =>
  async (talk) => {
    for (const part of parts) await part(talk);
  };

interface End {
  name: string;
  run: (service: Service) => Part;
  /** What the connection's end tells of so many refused ones: in 2.3, in 2.4. */
  tells: (refused: number) => readonly [number, number];
  isImapOnly?: true;
}

const all = (refused: number) => [refused, refused] as const;
/** 2.3 counts what was begun, too. */
const oneMore = (refused: number) => [refused === 0 ? 0 : refused + 1, refused] as const;

const ENDS: readonly End[] = [
  { name: "leaves", tells: all, run: (service) => service.bye },
  { name: "closes", tells: all, run: () => say() },
  {
    name: "resets",
    tells: all,
    run: () => (talk) => {
      talk.reset();
      return Promise.resolve();
    },
  },
  {
    name: "is let in",
    tells: () => [0, 0],
    run: (service) => inTurn(service.tries[0]?.("bob", "right") ?? say(), service.bye),
  },
  {
    name: "names an unknown mechanism",
    isImapOnly: true,
    tells: (refused) => [0, refused],
    run: (service) => inTurn(say("a1 AUTHENTICATE FOO"), service.bye),
  },
  {
    name: "breaks off",
    isImapOnly: true,
    tells: oneMore,
    run: (service) => inTurn(say("a1 AUTHENTICATE PLAIN", "*"), service.bye),
  },
  {
    name: "sends what is no base64",
    isImapOnly: true,
    tells: oneMore,
    run: (service) => inTurn(say("a1 AUTHENTICATE PLAIN", "!!!"), service.bye),
  },
];

const USERS = ["alice", "bob", "nobody", "Alice", "info@example.com"];

/** Up to four clients of one address, at once, for each of so many addresses. */
export function randomActions(seed: number, addresses: number, has: readonly string[]): Action[] {
  const random = createRandom(seed);
  const whole = (below: number) => Math.floor(random() * below);
  const pick = <T>(from: readonly T[]): T => {
    const found = from[whole(from.length)];
    if (found === undefined) throw new Error("nothing to choose from");
    return found;
  };
  const services = SERVICES.filter(({ name }) => name !== "POP3" || has.includes("pop3"));

  function session(group: number, isIpv6: boolean): Action {
    const service = pick(services);
    const tries = has.includes("mechanisms")
      ? [...service.tries, ...service.moreTries]
      : service.tries;
    const refused = whole(5);
    const parts = Array.from({ length: refused }, () => pick(tries)(pick(USERS), `no${whole(9)}`));
    const end = pick(ENDS.filter(({ isImapOnly }) => !isImapOnly || service.port !== POP3));
    const [told, told24] = end.tells(refused);
    const pause = whole(3) === 0 ? whole(1_500) : 0;
    return {
      what: `${service.name}: ${refused} refused, ${end.name}`,
      port: service.port,
      ...(service.isTls && { isTls: true }),
      ...(isIpv6 && { isIpv6: true }),
      ...{ refused, told, told24, group },
      async run(talk) {
        await service.before(talk);
        await new Promise((resolve) => setTimeout(resolve, pause));
        for (const part of parts) await part(talk);
        await end.run(service)(talk);
        await talk.close();
      },
    };
  }

  return Array.from({ length: addresses }, (_, group) => {
    const isIpv6 = whole(5) === 0;
    return Array.from({ length: 1 + whole(4) }, () => session(group, isIpv6));
  }).flat();
}
