/**
 * The policy that this coordinator decides by: what its file says until the settings of operators
 * are read, and then what the present decider counts by.
 */
import type { Policy } from "./policy.ts";

export class PolicyInUse {
  #policy: Policy;

  constructor(ofFile: Policy) {
    this.#policy = ofFile;
  }

  current(): Policy {
    return this.#policy;
  }

  replace(policy: Policy): void {
    this.#policy = policy;
  }
}
