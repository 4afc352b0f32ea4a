/**
 * Values by address and network. A look-up finds a value whose network has an address in common with
 * the address that is asked for.
 *
 * A path-compressed binary trie for each family: a look-up takes a step for each bit at most in
 * which stored prefixes differ, whatever their number. Every leaf has a value.
 */
import { familyOf, prefixOf, wordsOf, type Address } from "./address.ts";

export interface AddressTrie<T> {
  set(address: Address, value: T): void;
  delete(address: Address): void;
  /** The value of exactly this address or network. */
  get(address: Address): T | undefined;
  /**
   * A value whose address or network has an address in common with `address`: the one of the
   * largest network around it, else one within it.
   */
  find(address: Address): T | undefined;
}

interface Prefix {
  words: readonly number[];
  bits: number;
}

interface Node<T> extends Prefix {
  /** undefined: no value was stored for this prefix, two longer ones part here. */
  value: { stored: T } | undefined;
  /** By the first bit behind the prefix. */
  children: [Node<T> | undefined, Node<T> | undefined];
}

export function createAddressTrie<T>(): AddressTrie<T> {
  const roots = { 4: emptyNode<T>(2), 6: emptyNode<T>(8) };
  const rootOf = (address: Address) => roots[familyOf(address)];
  return {
    set: (address, value) => insert(rootOf(address), prefixFor(address), value),
    delete: (address) => void remove(rootOf(address), prefixFor(address)),
    get: (address) => findExact(rootOf(address), prefixFor(address))?.value?.stored,
    find: (address) => findOverlap(rootOf(address), prefixFor(address)),
  };
}

const prefixFor = (address: Address): Prefix => ({
  words: wordsOf(address),
  bits: prefixOf(address),
});

const emptyNode = <T>(words: number): Node<T> => ({
  ...{ words: new Array<number>(words).fill(0), bits: 0 },
  ...{ value: undefined, children: [undefined, undefined] },
});

function insert<T>(root: Node<T>, prefix: Prefix, value: T): void {
  let node = root;
  while (node.bits < prefix.bits) {
    const side = bitAt(prefix, node.bits);
    const child = node.children[side];
    const common = child ? commonBits(child, prefix) : 0;
    if (!child) {
      node.children[side] = {
        ...prefix,
        value: { stored: value },
        children: [undefined, undefined],
      };
      return;
    }
    if (common < child.bits) {
      // The child's prefix and the new one part inside the child's: a node for what they share.
      const parting: Node<T> = {
        ...{ words: prefix.words, bits: common },
        ...{ value: undefined, children: [undefined, undefined] },
      };
      parting.children[bitAt(child, common)] = child;
      node.children[side] = parting;
    }
    node = node.children[side] ?? child;
  }
  node.value = { stored: value };
}

/** Returns what is left of the node: itself, its only child, or nothing. */
function remove<T>(node: Node<T>, prefix: Prefix): Node<T> | undefined {
  if (node.bits === prefix.bits) node.value = undefined;
  else {
    const side = bitAt(prefix, node.bits);
    const child = node.children[side];
    const isOnTheWay =
      child && child.bits <= prefix.bits && commonBits(child, prefix) === child.bits;
    if (isOnTheWay) node.children[side] = remove(child, prefix);
  }
  if (node.value || (node.children[0] && node.children[1])) return node;
  return node.children[0] ?? node.children[1];
}

function findExact<T>(root: Node<T>, prefix: Prefix): Node<T> | undefined {
  let node: Node<T> | undefined = root;
  while (node && node.bits < prefix.bits) {
    node = node.children[bitAt(prefix, node.bits)];
    if (node && commonBits(node, prefix) < node.bits) return undefined;
  }
  return node?.bits === prefix.bits ? node : undefined;
}

function findOverlap<T>(root: Node<T>, prefix: Prefix): T | undefined {
  let node: Node<T> | undefined = root;
  while (node) {
    if (node.value) return node.value.stored;
    // Below the prefix's own node everything lies within the prefix: any leaf will do.
    const side: 0 | 1 =
      node.bits < prefix.bits ? bitAt(prefix, node.bits) : node.children[0] ? 0 : 1;
    const child: Node<T> | undefined = node.children[side];
    if (child && commonBits(child, prefix) < Math.min(child.bits, prefix.bits)) return undefined;
    node = child;
  }
  return undefined;
}

function bitAt({ words }: Prefix, position: number): 0 | 1 {
  return ((words[position >> 4] ?? 0) >> (15 - (position & 15))) & 1 ? 1 : 0;
}

/** How many bits at their beginning two prefixes share. */
function commonBits(a: Prefix, b: Prefix): number {
  const most = Math.min(a.bits, b.bits);
  for (let index = 0; index << 4 < most; index += 1) {
    const differing = (a.words[index] ?? 0) ^ (b.words[index] ?? 0);
    if (differing !== 0) return Math.min(most, (index << 4) + Math.clz32(differing) - 16);
  }
  return most;
}
