/**
 * Whether fleetban's rule is put first again. Another program may put its own rule first each
 * time: after a few rounds the agent gives way for a while and warns, so that no fight goes on for ever.
 */

/** Rounds that are fought before the agent gives way. */
const ROUNDS = 2;
/** Looks without a displacement after which earlier rounds are forgotten. */
const CALM_LOOKS = 15;
/** Looks for which the agent gives way before it tries once more: ten minutes, at one in 20 s. */
const YIELDED_LOOKS = 30;

type State =
  | { phase: "calm" }
  | { phase: "contested"; rounds: number; calmLooks: number }
  | { phase: "yielded"; looksLeft: number };

export interface HookContest {
  /** Another rule stands before the agent's: is it to be moved? */
  onDisplaced(): "move" | "give way";
  /** The agent's rule is where it must be. */
  onInPlace(): void;
}

export function createHookContest(): HookContest {
  let state: State = { phase: "calm" };
  return {
    onDisplaced() {
      switch (state.phase) {
        case "calm":
          state = { phase: "contested", rounds: 1, calmLooks: 0 };
          return "move";
        case "contested":
          if (state.rounds >= ROUNDS) {
            state = { phase: "yielded", looksLeft: YIELDED_LOOKS };
            return "give way";
          }
          state = { phase: "contested", rounds: state.rounds + 1, calmLooks: 0 };
          return "move";
        case "yielded":
          state.looksLeft -= 1;
          if (state.looksLeft > 0) return "give way";
          // One more try: if it is displaced again, the agent gives way at once.
          state = { phase: "contested", rounds: ROUNDS, calmLooks: 0 };
          return "move";
      }
    },
    onInPlace() {
      if (state.phase === "contested") {
        state.calmLooks += 1;
        if (state.calmLooks >= CALM_LOOKS) state = { phase: "calm" };
      } else if (state.phase === "yielded") {
        state = { phase: "contested", rounds: ROUNDS, calmLooks: 0 };
      }
    },
  };
}
