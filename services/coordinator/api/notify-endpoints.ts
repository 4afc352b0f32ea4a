/** `fleetban notify list|test|resend`. */
import { encodeResend } from "../../wire/settings.ts";
import { resendKey } from "../../wire/subjects.ts";
import type { SinkRow } from "../../wire/api.ts";
import type { SinkState } from "../notify/notify-bucket.ts";
import type { Sink } from "../notify/sink.ts";
import { testDelivery, trySink } from "../notify/made-up-delivery.ts";
import { ApiError, type Endpoints } from "./api-server.ts";
import type { ApiContext } from "./api-context.ts";

type NotifyEndpoints = Pick<Endpoints, "notify.list" | "notify.test" | "notify.resend">;

export function notifyEndpoints(context: ApiContext): NotifyEndpoints {
  const { notifier, settings, lease, now } = context;

  function sinkNamed(name: string): Sink {
    const sink = notifier.sinks.find((each) => each.name === name);
    if (sink) return sink;
    const names = notifier.sinks.map((each) => each.name);
    const known =
      names.length === 0 ? "notify.sinks of coordinator.yaml is empty" : names.join(", ");
    throw new ApiError(404, `sink "${name}": there is no such sink: ${known}`);
  }

  return {
    async "notify.list"() {
      await notifier.states.refresh();
      const sinks = notifier.sinks.map((sink) => rowOf(sink, notifier.states.of(sink.name)));
      return { sinks, sender: lease.holder() };
    },

    async "notify.test"({ sink: name }, by) {
      const sink = sinkNamed(name);
      const begun = performance.now();
      const jail = context.jails()[0]?.name ?? "";
      const reason = await trySink(sink, testDelivery(jail, by, now()));
      return { sink: name, reason: reason ?? null, ms: Math.round(performance.now() - begun) };
    },

    async "notify.resend"({ sink, since }, by) {
      sinkNamed(sink);
      const command = { v: 1, by, at: now(), ...(since !== undefined && { since }) } as const;
      // In the settings bucket it is on record, and reaches whichever coordinator sends.
      await settings.write(resendKey(sink), encodeResend(command), () => false);
      return { sink };
    },
  };
}

function rowOf({ name, type, describe, filter }: Sink, state: SinkState | undefined): SinkRow {
  const { off, failing, sentAt, sent = 0, lost = 0 } = state ?? {};
  const isTried = sentAt !== undefined || lost > 0;
  return {
    ...{ name, type, where: describe.slice(0, 200), events: [...filter.events] },
    state: off ? "off" : failing ? "failing" : isTried ? "ok" : "new",
    reason: off?.reason ?? failing?.reason ?? null,
    retryAt: off ? null : (failing?.retryAt ?? null),
    sentAt: sentAt ?? null,
    ...{ sent, lost },
  };
}
