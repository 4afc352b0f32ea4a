/**
 * A jail of coordinator.yaml. It has fail2ban's names and meanings where fail2ban has the option;
 * deploy/examples/coordinator.yaml explains all of them.
 */
import * as z from "zod";
import { duration, durationOrForever } from "../config/duration-setting.ts";
import { formatDuration } from "../config/duration.ts";
import { checkValue, noSuchOption, type CheckedValue } from "../config/load-config.ts";
import { parseDocument } from "../config/yaml-document.ts";
import {
  compileFilter,
  FilterError,
  type FilterFault,
  type FilterRules,
} from "../detection/filter/filter.ts";
import { HOST_PATTERN } from "../wire/host-pattern.ts";
import { PROTOCOLS, type Jail, type JailSetting } from "../wire/settings.ts";

type FilterOptions = Omit<FilterRules, "failregex"> & { failregex?: string[] | undefined };

/** Of a filter, beside its failregex. */
const FILTER_OPTIONS = ["prefregex", "ignoreregex", "datepattern"] as const;

/** A jail travels to the agents as one message. */
const MAX_FILTER_LENGTH = 200_000;

/** One expression a line, as in fail2ban's files, or a list of them. */
const expressions = z
  .union([z.string(), z.array(z.string())])
  .transform((value) =>
    (typeof value === "string" ? value.split("\n") : value)
      .map((each) => each.trim())
      .filter((each) => each !== ""),
  )
  .pipe(z.array(z.string().max(8_192)).max(100))
  .optional();

const port = z.number().int().min(1).max(65535);

/** "1 2 4 8", as in fail2ban's files, or a list. */
const multipliers = z
  .union([z.string(), z.array(z.number())], {
    error: (issue) => `expected numbers such as "1 2 4 8", got ${JSON.stringify(issue.input)}`,
  })
  .transform((value, context): number[] => {
    const numbers = typeof value === "string" ? value.split(/[\s,]+/).filter(Boolean) : value;
    const parsed = numbers.map(Number);
    if (parsed.length > 0 && parsed.length <= 100 && parsed.every((each) => each > 0)) {
      return parsed;
    }
    const message = `expected 1 to 100 numbers such as "1 2 4 8", got ${JSON.stringify(value)}`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });

/** A host's name as it stands in its messages: mx1.example.org is mx1-example-org. */
const hostPattern = z
  .string()
  .transform((text) => text.replaceAll(".", "-"))
  .pipe(
    z.string().regex(HOST_PATTERN, {
      error: (issue) =>
        `expected a host such as mx1, mx* or "!mx9", got ${JSON.stringify(issue.input)}`,
    }),
  );

/** Seconds for which a login makes its address known good: an hour at least, 30 days at most. */
const [MIN_WITHIN, MAX_WITHIN] = [3_600, 2_592_000];

const options = z.strictObject({
  source: z.enum(["failures", "bans"]).default("failures"),
  ports: z
    .union([z.literal("all"), z.array(port).min(1).max(64)], {
      error: (issue) =>
        `expected a list of ports such as [143, 993], or all, got ${JSON.stringify(issue.input)}`,
    })
    .transform((ports) => (ports === "all" ? [] : ports))
    .optional(),
  protocol: z.enum(PROTOCOLS).optional(),
  maxretry: z.number().int().min(1).max(100).default(5),
  findtime: duration.optional(),
  bantime: durationOrForever.optional(),
  "bantime.increment": z.boolean().optional(),
  "bantime.factor": z.number().positive().optional(),
  "bantime.multipliers": multipliers.optional(),
  "bantime.maxtime": duration.optional(),
  "bantime.rndtime": duration.optional(),
  "bantime.overalljails": z.boolean().optional(),
  users: z.number().int().min(2).max(99).optional(),
  domains: z.number().int().min(2).max(99).optional(),
  minhosts: z.number().int().min(2).max(100).optional(),
  quorum: z.enum(["strict", "local-first"]).optional(),
  hosts: z.array(hostPattern).min(1).max(64).optional(),
  shadow: z.boolean().optional(),
  decoys: z.array(z.string().trim().toLowerCase().min(1).max(256)).min(1).max(1000).optional(),
  knownGood: z
    .strictObject({
      factor: z
        .number()
        .refine((factor) => factor > 1 && factor <= 20, {
          error: ({ input }) => `expected more than 1 and at most 20, got ${String(input)}`,
        })
        .default(3),
      within: duration
        .refine((seconds) => seconds >= MIN_WITHIN && seconds <= MAX_WITHIN, {
          error: ({ input }) => `expected 1h to 30d, got ${formatDuration(Number(input))}`,
        })
        .default(604_800),
    })
    .optional(),
  network: z
    .strictObject({
      prefix4: z.number().int().min(8).max(31).default(24),
      prefix6: z.number().int().min(32).max(127).default(48),
      addresses: z.number().int().min(2).max(100).default(5),
      findtime: duration.default(3600),
    })
    .optional(),
  ipv4_prefix: z.number().int().min(8).max(32).optional(),
  ipv6_prefix: z.number().int().min(32).max(128).optional(),
  prefregex: z.string().min(1).max(8_192).optional(),
  failregex: expressions,
  ignoreregex: expressions,
  datepattern: z.string().min(1).max(8_192).optional(),
});
type GivenOptions = z.output<typeof options>;
/** The options of a jail as the file has them; those of DEFAULTS are always there. */
export type JailOptions = GivenOptions & {
  [O in "ports" | "findtime" | "bantime"]: Exclude<GivenOptions[O], undefined>;
};

/**
 * What holds where a jail says nothing. For failures it is the set-up that mail administrators come
 * from (fail2ban's jail for pop3 and imap), for bans it is fail2ban's recidive.
 */
const DEFAULTS = {
  failures: {
    ...{ ports: [110, 995, 143, 993], findtime: 1200, bantime: 1200 },
    ...{ ipv4_prefix: 32, ipv6_prefix: 64 },
  },
  bans: { ports: [], findtime: 86_400, bantime: 604_800 },
} as const satisfies Record<string, Partial<GivenOptions>>;

export const jailConfig = options
  .superRefine((jail, context) => {
    for (const { path, message } of faultsOf(jail)) {
      context.addIssue({ code: "custom", path: [...path], message });
    }
  })
  .transform(withDefaults);

function withDefaults(given: GivenOptions): JailOptions {
  const { source, ports, findtime, bantime, ...others } = given;
  const defaults = DEFAULTS[source];
  return {
    ...{ ...defaults, ...others, source },
    ports: ports ?? [...defaults.ports],
    findtime: findtime ?? defaults.findtime,
    bantime: bantime === undefined ? defaults.bantime : bantime,
  };
}

/**
 * The options with one of them set to `text`, which is YAML as the file would have it. Faults are
 * those that the file would have, whichever option they are found at.
 */
export function setJailOption(
  jail: string,
  present: JailOptions,
  { option, value: text }: Pick<JailSetting, "option" | "value">,
): CheckedValue<JailOptions> {
  const path = ["jails", jail, option];
  const where = path.join(".");
  const fields: Readonly<Record<string, z.ZodType>> = options.shape;
  const field = Object.hasOwn(fields, option) ? fields[option] : undefined;
  if (!field) return { faults: [`${where}: ${noSuchOption(option, Object.keys(fields))}`] };
  if (option === "source") {
    return {
      faults: [`${where}: is changed in coordinator.yaml alone, because it is another jail`],
    };
  }
  const parsed = parseYaml(text);
  if (!parsed) {
    const expected = "expected a value as YAML has it, in quotes where it begins with * or !";
    return { faults: [`${where}: ${expected}, got ${JSON.stringify(text)}`] };
  }
  const checked = checkValue(field, parsed.value, path);
  if ("faults" in checked) return checked;
  const value = { ...present, [option]: checked.value };
  const faults = faultsOf(value).map(
    (fault) => `${["jails", jail, ...fault.path].join(".")}: ${fault.message}`,
  );
  return faults.length > 0 ? { faults } : { value };
}

/** undefined: it is no YAML. */
function parseYaml(text: string): { value: unknown } | undefined {
  const document = parseDocument(text);
  if (document.errors.length > 0 || document.warnings.length > 0) return undefined;
  try {
    return { value: document.toJS({ maxAliasCount: 0 }) };
  } catch {
    return undefined; // an alias of nothing
  }
}

/** Options whose values are seconds. */
const DURATIONS = ["findtime", "bantime", "bantime.maxtime", "bantime.rndtime"];
const LONGEST_SPELLING = 200;

/** The value of an option of the file for people to read: "20m", "143, 993", "not set". */
export function spellJailOption(present: JailOptions, option: string): string {
  const value = new Map<string, unknown>(Object.entries(present)).get(option);
  if (value === undefined) return "not set";
  if (DURATIONS.includes(option)) return formatDuration(value === null ? null : Number(value));
  const isList = Array.isArray(value) && value.every((each) => typeof each !== "object");
  if (isList) return value.length === 0 ? "all" : value.join(", ").slice(0, LONGEST_SPELLING);
  return (typeof value === "string" ? value : JSON.stringify(value)).slice(0, LONGEST_SPELLING);
}

interface Fault {
  path: readonly (string | number)[];
  message: string;
}

function faultsOf(jail: GivenOptions): Fault[] {
  return [
    ...filterFaults(jail),
    ...incrementFaults(jail),
    ...namesFaults(jail),
    ...networkFaults(jail),
    ...quorumFaults(jail),
    ...bansFaults(jail),
  ];
}

const GROWTH = [
  ...(["bantime.factor", "bantime.multipliers", "bantime.maxtime", "bantime.rndtime"] as const),
  "bantime.overalljails",
] as const;

function incrementFaults(jail: GivenOptions): Fault[] {
  if (!jail["bantime.increment"]) {
    return GROWTH.filter((name) => jail[name] !== undefined).map((name) => ({
      path: [name],
      message: "has no effect without bantime.increment: true",
    }));
  }
  const { bantime = DEFAULTS[jail.source].bantime, "bantime.maxtime": maxtime } = jail;
  if (bantime === null) {
    return [{ path: ["bantime.increment"], message: "has no effect: bans are for ever already" }];
  }
  if (maxtime === undefined || maxtime >= bantime) return [];
  const given = `got ${formatDuration(maxtime)}`;
  const message = `expected at least bantime, which is ${formatDuration(bantime)}, ${given}`;
  return [{ path: ["bantime.maxtime"], message }];
}

function namesFaults({ source, maxretry, ...jail }: GivenOptions): Fault[] {
  if (source === "bans") return [];
  return (["users", "domains"] as const).flatMap((name) => {
    const given = jail[name];
    if (given === undefined || given < maxretry) return [];
    const message = `expected less than maxretry, which is ${maxretry}, got ${given}`;
    return [{ path: [name], message }];
  });
}

/** What counts together must be a part of the network that is banned for it. */
function networkFaults({ source, network, ...given }: GivenOptions): Fault[] {
  if (!network || source === "bans") return [];
  const { ipv4_prefix, ipv6_prefix } = { ...DEFAULTS.failures, ...given };
  return (
    [
      ["prefix4", network.prefix4, ipv4_prefix],
      ["prefix6", network.prefix6, ipv6_prefix],
    ] as const
  ).flatMap(([name, wide, narrow = 128]) => {
    if (wide < narrow) return [];
    const message = `expected less than ${narrow}, the prefix that addresses count by, got ${wide}`;
    return [{ path: ["network", name], message }];
  });
}

function quorumFaults({ source, quorum, minhosts }: GivenOptions): Fault[] {
  if (source === "bans" || quorum === undefined || minhosts !== undefined) return [];
  return [{ path: ["quorum"], message: "has no effect without minhosts, such as minhosts: 2" }];
}

function bansFaults(jail: GivenOptions): Fault[] {
  if (jail.source !== "bans") return [];
  const networks = (["ipv4_prefix", "ipv6_prefix", "network", "minhosts", "quorum"] as const)
    .filter((name) => jail[name] !== undefined)
    .map((name) => ({
      path: [name],
      message: "has no effect with source: bans, which takes addresses and networks as banned",
    }));
  const filters = (
    ["users", "domains", "decoys", "knownGood", "failregex", ...FILTER_OPTIONS] as const
  )
    .filter((name) => jail[name] !== undefined)
    .map((name) => ({
      path: [name],
      message: "has no effect with source: bans, which reads no log",
    }));
  return [...networks, ...filters];
}

/** The jail as agents and the policy know it; what is not given is no key, as on the wire. */
export function jailOf(name: string, given: JailOptions): Jail {
  const {
    source,
    ports,
    findtime,
    bantime,
    "bantime.increment": isGrowing,
    "bantime.factor": factor = 1,
    "bantime.multipliers": multipliers = [],
    "bantime.maxtime": maxtime,
    "bantime.rndtime": rndtime,
    "bantime.overalljails": overalljails = false,
    ...unchanged
  } = given;
  const increment = {
    ...{ factor, multipliers, overalljails },
    ...(maxtime !== undefined && { maxtime }),
    ...(rndtime !== undefined && { rndtime }),
  };
  return {
    ...{ v: 1, name, ...unchanged },
    ...{ ports, findtime, bantime },
    ...(source === "bans" && { source }),
    ...(isGrowing && { increment }),
  };
}

function filterFaults(jail: FilterOptions): Fault[] {
  return faultsOfFilter(jail).map(({ option, index, column, reason }) => ({
    path: option === "prefregex" || option === "datepattern" ? [option] : [option, index],
    message: column === undefined ? reason : `column ${column}: ${reason}`,
  }));
}

function faultsOfFilter({ failregex, ...others }: FilterOptions): readonly FilterFault[] {
  const { prefregex, ignoreregex, datepattern } = others;
  if (failregex === undefined || failregex.length === 0) {
    const [option] = FILTER_OPTIONS.filter((name) => others[name] !== undefined);
    const reason = "expected a failregex beside it, got none";
    return option ? [{ option, index: 0, column: undefined, reason }] : [];
  }
  const size = JSON.stringify([prefregex, failregex, ignoreregex, datepattern]).length;
  if (size > MAX_FILTER_LENGTH) {
    const reason = `expected at most ${MAX_FILTER_LENGTH} characters in all, got ${size}`;
    return [{ option: "failregex", index: 0, column: undefined, reason }];
  }
  try {
    compileFilter({ prefregex, failregex, ignoreregex, datepattern });
    return [];
  } catch (error) {
    if (error instanceof FilterError) return error.faults;
    throw error;
  }
}
