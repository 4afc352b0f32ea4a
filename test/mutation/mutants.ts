/**
 * Makes a file of TypeScript that holds all of its mutants at once: each changes one thing, and
 * `MUTANT`, a number that whoever evaluates the file provides, says which one is active.
 */
import ts from "typescript";
import { mutateRegex } from "./regex-mutants.ts";

export interface Mutant {
  id: number;
  /** `auth-line.ts:81:7`. */
  place: string;
  /** What it changes, in words. */
  change: string;
}

const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "===": ["!=="],
  "!==": ["==="],
  "&&": ["||"],
  "||": ["&&"],
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
};
const METHODS: Readonly<Record<string, string>> = {
  indexOf: "lastIndexOf",
  lastIndexOf: "indexOf",
  startsWith: "endsWith",
  endsWith: "startsWith",
  some: "every",
  every: "some",
  min: "max",
  max: "min",
};

export interface Mutated {
  text: string;
  mutants: Mutant[];
}

/** `firstId`: the number of the first mutant. */
export function mutateFile(name: string, source: string, firstId: number): Mutated {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true);
  const mutants: Mutant[] = [];

  const note = (node: ts.Node, change: string): number => {
    const { line, character } = file.getLineAndCharacterOfPosition(node.getStart());
    const id = firstId + mutants.length;
    mutants.push({ id, place: `${name}:${line + 1}:${character + 1}`, change });
    return id;
  };

  /** The text of a node in which the mutants of all that it holds are. */
  function emit(node: ts.Node): string {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isImportDeclaration(node)) {
      return node.getText();
    }
    const swap = ts.isPropertyAccessExpression(node) ? METHODS[node.name.text] : undefined;
    if (ts.isPropertyAccessExpression(node) && swap !== undefined && isCalled(node)) {
      const name = node.name.text;
      const id = note(node.name, `${name} becomes ${swap}`);
      const chain = node.questionDotToken ? "?." : "";
      return `${emit(node.expression)}${chain}[MUTANT === ${id} ? "${swap}" : "${name}"]`;
    }
    return guard(node, emitChildren(node));
  }

  function emitChildren(node: ts.Node): string {
    let text = "";
    let at = node.getStart();
    ts.forEachChild(node, (child) => {
      const from = child.getStart();
      text += source.slice(at, from) + emit(child);
      at = child.getEnd();
    });
    return text + source.slice(at, node.getEnd());
  }

  function guard(node: ts.Node, text: string): string {
    if (isRemovable(node)) {
      return `{ if (MUTANT !== ${note(node, `without: ${brief(node)}`)}) { ${text} } }`;
    }
    if (ts.isReturnStatement(node) || ts.isBreakOrContinueStatement(node)) {
      // In braces, an `else` that follows stays with its own `if`.
      return `{ if (MUTANT !== ${note(node, `without: ${brief(node)}`)}) ${text} }`;
    }
    let guarded = text;
    for (const [replacement, change] of replacementsOf(node)) {
      guarded = `(MUTANT === ${note(node, change)} ? (${replacement}) : (${guarded}))`;
    }
    return guarded;
  }

  function replacementsOf(node: ts.Node): (readonly [string, string])[] {
    const own = node.getText();
    const to = (replacement: string) =>
      [replacement, `${brief(node)} becomes ${replacement.slice(0, 80)}`] as const;
    const replacements: (readonly [string, string])[] = [];
    if (isCondition(node)) {
      if (!isLoop(node.parent)) replacements.push(to("true"));
      replacements.push(to("false"));
    }
    if (ts.isBinaryExpression(node)) {
      const [left, right] = [node.left.getText(), node.right.getText()];
      const operator = node.operatorToken.getText();
      for (const other of OPERATORS[operator] ?? []) {
        replacements.push(to(`${left} ${other} ${right}`));
      }
      if (operator === "??") replacements.push(to(left), to(right));
    }
    if (ts.isPrefixUnaryExpression(node) && own.startsWith("!")) {
      replacements.push(to(node.operand.getText()));
    }
    if (ts.isNumericLiteral(node) && isValue(node)) {
      const value = Number(own.replaceAll("_", ""));
      replacements.push(to(String(value + 1)), to(String(value - 1)));
    }
    if (ts.isStringLiteral(node) && isValue(node)) {
      replacements.push(to(node.text === "" ? `"mutant"` : `""`));
    }
    if (node.kind === ts.SyntaxKind.TrueKeyword) replacements.push(to("false"));
    if (node.kind === ts.SyntaxKind.FalseKeyword) replacements.push(to("true"));
    if (ts.isRegularExpressionLiteral(node)) {
      const end = own.lastIndexOf("/");
      for (const { source: body, flags } of mutateRegex(own.slice(1, end), own.slice(end + 1))) {
        replacements.push(to(`/${body}/${flags}`));
      }
    }
    if (ts.isArrayLiteralExpression(node) && isTable(node)) {
      for (const [index, element] of node.elements.entries()) {
        const rest = node.elements.filter((_, other) => other !== index);
        const text = `[${rest.map((kept) => kept.getText()).join(", ")}]`;
        replacements.push([text, `without the entry ${brief(element)}`]);
      }
    }
    return replacements;
  }

  const body = file.statements.map(
    (statement) => source.slice(statement.getFullStart(), statement.getStart()) + emit(statement),
  );
  return { text: `${body.join("")}\n`, mutants };
}

const brief = (node: ts.Node): string => node.getText().replaceAll(/\s+/g, " ").slice(0, 80);

/** A call or an assignment that stands alone. */
function isRemovable(node: ts.Node): boolean {
  return ts.isExpressionStatement(node) && !ts.isSourceFile(node.parent);
}

const isLoop = (node: ts.Node): boolean => ts.isWhileStatement(node) || ts.isForStatement(node);

function isCondition(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isIfStatement(parent) || ts.isWhileStatement(parent)) return parent.expression === node;
  if (ts.isForStatement(parent)) return parent.condition === node;
  return ts.isConditionalExpression(parent) && parent.condition === node;
}

/** No key, no module's name. */
function isValue(node: ts.StringLiteral | ts.NumericLiteral): boolean {
  const { parent } = node;
  if (ts.isBindingElement(parent)) return parent.propertyName !== node;
  if (ts.isPropertyAssignment(parent)) return parent.name !== node;
  return !ts.isImportDeclaration(parent) && !ts.isExportDeclaration(parent);
}

/** A list of several entries of the same kind, none of which holds the place of the next. */
function isTable(node: ts.ArrayLiteralExpression): boolean {
  const [first] = node.elements;
  if (node.elements.length < 3 || !first) return false;
  return node.elements.every(
    (element) => element.kind === first.kind && !ts.isSpreadElement(element),
  );
}

const isCalled = (node: ts.PropertyAccessExpression): boolean =>
  ts.isCallExpression(node.parent) && node.parent.expression === node;
