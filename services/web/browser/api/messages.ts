/**
 * The API's messages as they cross HTTP: JSON, in which instants are ISO 8601 texts. Everything is
 * derived from the schemas of `services/wire`, of which the browser takes the types alone.
 */
import type * as z from "zod";
import type { Address } from "../../../wire/address.ts";
import type { api, TopKind as TopKindOfApi } from "../../../wire/api.ts";

export type Endpoint = keyof typeof api;
export type TopKind = TopKindOfApi;

/** In the browser an address is a text: the coordinator checks it. */
type Plain<T> = T extends Address
  ? string
  : T extends object
    ? { [Key in keyof T]: Plain<T[Key]> }
    : T;

export type Request<E extends Endpoint> = Plain<z.input<(typeof api)[E]["request"]>>;
export type Reply<E extends Endpoint> = Plain<z.input<(typeof api)[E]["reply"]>>;

export type Status = Reply<"status.show">;
export type Warning = Status["warnings"][number];
export type Ban = Reply<"ban.list">["bans"][number];
export type HostRow = Reply<"host.list">["hosts"][number];
export type HostStatus = NonNullable<HostRow["status"]>;
export type Allowed = Reply<"allow.list">["allowed"][number];
export type AuditRow = Reply<"audit.list">["audit"][number];
export type FailureRow = Reply<"failure.list">["failures"][number];
export type JailRow = Reply<"jail.list">["jails"][number];
export type TopRow = Reply<"failure.top">["top"][number];
export type Reach = NonNullable<Reply<"ban.add">["reach"]>;
export type Standing = NonNullable<Reply<"ban.show">["standing"]>;
export type SilentHost = NonNullable<Standing["silent"]>[number];
export type Trace = NonNullable<Reply<"ban.show">["traces"]>[number];
export type ManyBans = Reply<"ban.lift">;
export type BanSelection = Request<"ban.lift">["selection"];
export type News = Reply<"watch.show">;
