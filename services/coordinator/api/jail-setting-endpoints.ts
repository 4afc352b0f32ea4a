/** `fleetban jail set|unset|pause|resume`: what operators change of a jail without its file. */
import { pauseJail, resumeJail } from "../../policy/jail-pause.ts";
import { encodeJailPause, encodeJailSetting, type JailSetting } from "../../wire/settings.ts";
import { jailPauseKey } from "../../wire/subjects.ts";
import { keyOf } from "../buckets/jail-settings.ts";
import { faultsOfSetting } from "../decide/applied-settings.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import { ApiError, type Endpoints } from "./api-server.ts";
import { jailRowOf } from "./jail-rows.ts";

type JailSettingEndpoints = Pick<
  Endpoints,
  "jail.set" | "jail.unset" | "jail.pause" | "jail.resume"
>;

/** As many faults are named in one sentence. */
const NAMED = 3;

export function jailSettingEndpoints(context: ApiContext): JailSettingEndpoints {
  const { settings, jailSettings, pauses, reload, lease, id: coordinator, now } = context;

  /** A policy that waits to be used has what was set, too. */
  async function changed(name: string) {
    const isInUse = await reload.apply();
    const policy = reload.policy();
    const jail = policy.jails.find((each) => each.name === name);
    return {
      ...(jail && { row: jailRowOf(context, jail) }),
      ...{ coordinator, decider: lease.holder(), policyVersion: policy.version, isInUse },
    };
  }

  return {
    async "jail.set"({ jail, option, value, seconds }, by) {
      jailNamed(context, jail);
      const until = seconds === undefined ? {} : { until: now() + seconds * 1000 };
      const setting: JailSetting = { v: 1, jail, option, value, by, at: now(), ...until };
      const faults = faultsOfSetting(reload.config().jails, jailSettings.list(), setting);
      if (faults.length > 0) {
        throw new ApiError(400, `jail set: ${faults.slice(0, NAMED).join("; ")}`);
      }
      await settings.write(keyOf(setting), encodeJailSetting(setting), () => false);
      return { setting, ...(await changed(jail)) };
    },

    async "jail.unset"({ jail, option }, by) {
      const found = jailSettings
        .list()
        .filter((each) => each.jail === jail && (option ?? each.option) === each.option);
      if (found.length === 0) {
        jailNamed(context, jail);
        const what = option === undefined ? "nothing" : `${option} is not`;
        throw new ApiError(404, `jail ${jail}: ${what} set; see fleetban jail show ${jail}`);
      }
      for (const setting of found) await settings.eraseBy(keyOf(setting), by);
      return { settings: found, ...(await changed(jail)) };
    },

    async "jail.pause"({ jail: name, seconds, reason }, by) {
      const jail = jailNamed(context, name);
      const until = seconds === undefined ? null : now() + seconds * 1000;
      const pause = pauseJail(pauses.of(name), { by, reason, now: now(), until });
      await settings.write(jailPauseKey(name), encodeJailPause(pause), () => false);
      return jailRowOf(context, jail);
    },

    async "jail.resume"({ jail: name }, by) {
      const jail = jailNamed(context, name);
      const resumed = resumeJail(pauses.of(name), { by, now: now() });
      if (!resumed) throw new ApiError(404, `jail ${name}: is not paused`);
      await settings.write(jailPauseKey(name), encodeJailPause(resumed), () => false);
      return jailRowOf(context, jail);
    },
  };
}
