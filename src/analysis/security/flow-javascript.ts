import type { SgNode } from '@ast-grep/napi';
import type { Binding, Flow, FlowModel } from './dataflow.ts';
import {
  isSanitizerName,
  ITERATION,
  OWN_REQUEST_PARTS,
  REQUEST_OBJECT,
  REQUEST_PARTS,
  ROUTE_CALL,
  SOURCE,
  SOURCE_CALL,
} from './javascript-names.ts';
import { CONSTANT, type Origin, originOf, worst } from './origin.ts';

const FUNCTIONS = [
  'function_declaration',
  'function_expression',
  'arrow_function',
  'method_definition',
  'generator_function_declaration',
  'generator_function',
];

function textOf(node: SgNode): string {
  return node.text().replace(/\?\./gu, '.').replace(/\s+/gu, '');
}

/** Names in a pattern: the identifier itself, or the parts of a destructuring with their keys. */
function patternNames(pattern: SgNode): { readonly name: string; readonly key?: string }[] {
  switch (pattern.kind()) {
    case 'identifier':
      return [{ name: pattern.text() }];
    case 'object_pattern':
    case 'array_pattern':
      return pattern.namedChildren().flatMap((part) => partNames(part));
    case 'rest_pattern':
    case 'assignment_pattern':
      return pattern
        .namedChildren()
        .slice(0, 1)
        .flatMap((part) => patternNames(part));
    default:
      return [];
  }
}

function partNames(part: SgNode): { readonly name: string; readonly key?: string }[] {
  switch (part.kind()) {
    case 'shorthand_property_identifier_pattern':
      return [{ name: part.text(), key: part.text() }];
    case 'object_assignment_pattern': {
      const name = part.child(0)?.text() ?? '';
      return [{ name, key: name }];
    }
    case 'pair_pattern': {
      const key = part.field('key')?.text() ?? '';
      const value = part.field('value');
      return value === null ? [] : patternNames(value).map(({ name }) => ({ name, key }));
    }
    default:
      return patternNames(part).map(({ name }) => ({ name, key: '' }));
  }
}

function bind(node: SgNode, pattern: SgNode | null, value: SgNode | null, how: Binding['how']): Binding[] {
  if (pattern === null) return [];
  return patternNames(pattern).map((part) => ({ ...part, node, value, how }));
}

function parameters(list: SgNode): Binding[] {
  return list.namedChildren().flatMap((parameter, index) => {
    const typed = parameter.kind() === 'required_parameter' || parameter.kind() === 'optional_parameter';
    const pattern = typed ? (parameter.field('pattern') ?? parameter) : parameter;
    const mark = typed && parameter.text().startsWith('@') ? parameter.text() : undefined;
    return patternNames(pattern).map((part) => ({
      ...part,
      node: list,
      value: null,
      how: 'parameter' as const,
      index,
      ...(mark === undefined ? {} : { mark }),
    }));
  });
}

function bindings(node: SgNode): readonly Binding[] {
  switch (node.kind()) {
    case 'variable_declarator':
      return bind(node, node.field('name'), node.field('value'), 'declare');
    case 'assignment_expression':
      return bind(node, node.field('left'), node.field('right'), 'assign');
    case 'augmented_assignment_expression':
      return bind(node, node.field('left'), node.field('right'), 'augment');
    case 'for_in_statement':
      return bind(node, node.field('left'), node.field('right'), 'declare').map((b) => ({ ...b, key: '' }));
    case 'formal_parameters':
      return parameters(node);
    case 'arrow_function': {
      const only = node.field('parameter');
      return only === null ? [] : [{ name: only.text(), node, value: null, how: 'parameter', index: 0 }];
    }
    case 'catch_clause':
      return bind(node, node.field('parameter'), null, 'declare');
    case 'function_declaration':
      return [{ name: node.field('name')?.text() ?? '', node, value: null, how: 'function' }];
    default:
      return [];
  }
}

/** The call that a function is an argument of, with its callee as text. */
function callAround(fn: SgNode, flow: Flow): { readonly callee: string; readonly call: SgNode } | null {
  const call = fn.parent()?.parent();
  if (call === null || call === undefined || fn.parent()?.kind() !== 'arguments') return null;
  const callee = call.field('function');
  return callee === null ? null : { callee: flow.canonical(textOf(callee)), call };
}

function parameter(binding: Binding, fn: SgNode, flow: Flow): Origin {
  const source = /@(?:Query|Body|Param|Params|Headers|Req|Cookies|UploadedFile|Arg|Args)\b/u.exec(binding.mark ?? '');
  if (source !== null) return originOf('request', `${source[0]} ${binding.name}`);
  const names = fn.field('parameters')?.text() ?? '';
  if (
    binding.key !== undefined &&
    new RegExp(`^(?:${REQUEST_PARTS})$`, 'u').test(binding.key) &&
    /\bres(?:ponse|ult)?\b|\breply\b|\bnext\b/u.test(names)
  ) {
    return originOf('request', binding.name);
  }
  if (
    binding.name === 'event' &&
    binding.index === 0 &&
    (/\bcontext\b|\bcallback\b/u.test(names) || /handler/iu.test(fn.parent()?.text().slice(0, 60) ?? ''))
  ) {
    return originOf('request', 'event');
  }
  const around = callAround(fn, flow);
  if (around !== null) {
    if (ITERATION.test(around.callee)) {
      const receiver = around.call.field('function')?.field('object');
      return receiver === null || receiver === undefined ? originOf('unknown', binding.name) : flow.origin(receiver);
    }
    if (
      /\.(?:on|once|addEventListener|onmessage)$/u.test(around.callee) &&
      /['"](?:message|data)['"]/u.test(around.call.field('arguments')?.text().slice(0, 40) ?? '')
    ) {
      return /^(?:res|response|stream|child|proc)/u.test(around.callee)
        ? originOf('unknown', binding.name)
        : originOf('request', `message ${binding.name}`);
    }
    if (/\.then$|\.catch$|^(?:setTimeout|setInterval|describe|it|test)$/u.test(around.callee))
      return originOf('unknown', binding.name);
  }
  if (REQUEST_OBJECT.test(binding.name)) return originOf('unknown', binding.name);
  if (/^err(?:or)?$|^(?:res|response|next|cb|callback|done|resolve|reject)$/u.test(binding.name))
    return originOf('unknown', binding.name);
  return originOf('parameter', binding.name);
}

/** Whether a node is a request object: by its name, or as the first parameter of a route's handler. */
function isRequestObject(node: SgNode, flow: Flow): boolean {
  if (node.kind() !== 'identifier') return false;
  if (REQUEST_OBJECT.test(node.text())) return true;
  const bound = flow.parameterOf(node);
  if (bound === null || bound.binding.index !== 0 || bound.binding.key !== undefined) return false;
  const around = callAround(bound.fn, flow);
  return around !== null && ROUTE_CALL.test(around.callee);
}

function member(node: SgNode, flow: Flow): Origin {
  const text = textOf(node);
  if (SOURCE.test(text)) return originOf('request', text);
  if (/^process\.argv\b/u.test(text)) return originOf('parameter', 'process.argv');
  const object = node.field('object');
  const property = node.field('property')?.text() ?? '';
  if (property === 'length' || /^[A-Z][A-Z0-9_]+$/u.test(property)) return CONSTANT;
  if (object === null || object.kind() === 'this') return originOf('unknown', text);
  if (new RegExp(`^(?:${REQUEST_PARTS})$`, 'u').test(property) && isRequestObject(object, flow)) return originOf('request', text);
  if (isRequestObject(object, flow)) return originOf(OWN_REQUEST_PARTS.test(property) ? 'unknown' : 'parameter', text);
  const from = flow.origin(object);
  if (from.kind === 'request' || from.kind === 'sanitized') return from;
  if (from.kind === 'parameter') return originOf('parameter', text);
  return object.kind() === 'identifier' && from.kind === 'constant' && flow.valueOf(object) !== null
    ? CONSTANT
    : originOf('unknown', text);
}

function subscript(node: SgNode, flow: Flow): Origin {
  const text = textOf(node);
  if (SOURCE.test(text)) return originOf('request', text);
  const object = node.field('object');
  if (object === null) return originOf('unknown', text);
  if (/^process\.argv$/u.test(textOf(object))) return originOf('parameter', 'process.argv');
  const from = flow.origin(object);
  if (from.kind !== 'constant') return from;
  const index = node.field('index');
  const constantIndex = index === null || flow.origin(index).kind === 'constant';
  return constantIndex ? CONSTANT : originOf('sanitized', `${object.text()}[…]`);
}

/** `.replace(/[.*+?]/g, …)`: a class of special characters is replaced, as functions that escape do. */
function escapesByReplacing(callee: string, pattern: SgNode | undefined): boolean {
  if (!/\.replace(?:All)?$/u.test(callee) || pattern?.kind() !== 'regex') return false;
  return /^\/\(?\[(?:\^|[^\]]*[*+?^$|{}&<>"'`]\\?[*+?^$|{}&<>"'`])/u.test(pattern.text());
}

/** `(_, i) => `$${i + 1}``: an arrow whose value does not hang on the element that it is given, only on its place. */
function ignoresElement(fn: SgNode | undefined): boolean {
  if (fn?.kind() !== 'arrow_function') return false;
  const body = fn.field('body');
  if (body === null || body.kind() === 'statement_block') return false;
  const parameters = fn.field('parameters')?.namedChildren() ?? [];
  const place = parameters[1]
    ?.text()
    .replace(/[:?].*$/su, '')
    .trim();
  const used = body.kind() === 'identifier' ? [body] : body.findAll({ rule: { kind: 'identifier' } });
  return used.every((name) => name.text() === place);
}

/** What placeholders are made by: `ids.map(() => '?')`, `Array(n).fill('?')`, `'?,'.repeat(n)`. */
function repeats(callee: string, receiver: SgNode, args: readonly SgNode[], flow: Flow): Origin | null {
  if (callee.endsWith('.map') && ignoresElement(args[0])) return CONSTANT;
  if (callee.endsWith('.repeat')) return flow.origin(receiver);
  const [value] = args;
  return callee.endsWith('.fill') && value !== undefined ? flow.origin(value) : null;
}

function call(node: SgNode, flow: Flow): Origin {
  const fn = node.field('function') ?? node.field('constructor');
  if (fn === null) return originOf('unknown', node.text());
  const args = node.field('arguments')?.namedChildren() ?? [];
  const callee = flow.canonical(textOf(fn));
  if (callee === 'require' || callee === 'Symbol') return CONSTANT;
  if (SOURCE_CALL.test(callee)) return originOf('request', textOf(node));
  if (isSanitizerName(callee)) return originOf('sanitized', callee);
  if (escapesByReplacing(callee, args[0])) return originOf('sanitized', 'replace');
  const parts = args.map((arg) => flow.origin(arg));
  const receiver = fn.kind() === 'member_expression' ? fn.field('object') : null;
  if (receiver !== null) {
    const repeated = repeats(callee, receiver, args, flow);
    if (repeated !== null) return repeated;
    const from = flow.origin(receiver);
    return from.kind === 'unknown' && PLAIN_LIBRARY.test(callee) ? worst(parts) : worst([...parts, from]);
  }
  const passesOn = node.kind() === 'new_expression' ? PASSING_CLASS.test(callee) : PASSING_FUNCTION.test(callee);
  return passesOn ? worst(parts) : worst([...parts, originOf('unknown', callee)]);
}

/** Libraries whose functions give back what they are given; as receivers they add no origin of their own. */
const PLAIN_LIBRARY = /^(?:path|util|url|querystring|qs|String|JSON|Buffer|Object|Array)\b/u;
const PASSING_FUNCTION = /^(?:String|decodeURI|decodeURIComponent|unescape|atob|btoa|path\.\w+|util\.format|structuredClone)$/u;
const PASSING_CLASS = /^(?:URL|URLSearchParams|String|Buffer|Array|Set|Map)$/u;

function children(node: SgNode, flow: Flow): Origin {
  return worst(node.namedChildren().map((child) => flow.origin(child)));
}

function binary(node: SgNode, flow: Flow): Origin {
  const operator = node.field('operator')?.text() ?? '';
  return ['+', '||', '??', '&&'].includes(operator) ? children(node, flow) : CONSTANT;
}

function evaluate(node: SgNode, flow: Flow): Origin {
  switch (node.kind()) {
    case 'identifier': {
      const name = node.text();
      if (name === 'location') return originOf('request', name);
      return name === 'undefined' || /^(?:__dirname|__filename|[A-Z][A-Z0-9_]+)$/u.test(name)
        ? CONSTANT
        : originOf('unknown', name);
    }
    case 'shorthand_property_identifier':
      return originOf('unknown', node.text());
    case 'template_string':
    case 'template_substitution':
    case 'parenthesized_expression':
    case 'spread_element':
    case 'await_expression':
    case 'array':
    case 'sequence_expression':
      return children(node, flow);
    case 'object':
      return worst(
        node
          .namedChildren()
          .map((part) => (part.kind() === 'pair' ? flow.origin(part.field('value') ?? part) : flow.origin(part))),
      );
    case 'as_expression':
    case 'satisfies_expression':
    case 'non_null_expression': {
      const inner = node.child(0);
      return inner === null ? CONSTANT : flow.origin(inner);
    }
    case 'binary_expression':
      return binary(node, flow);
    case 'ternary_expression':
      return worst(
        [node.field('consequence'), node.field('alternative')].flatMap((part) => (part === null ? [] : [flow.origin(part)])),
      );
    case 'assignment_expression': {
      const right = node.field('right');
      return right === null ? CONSTANT : flow.origin(right);
    }
    case 'member_expression':
      return member(node, flow);
    case 'subscript_expression':
      return subscript(node, flow);
    case 'call_expression':
    case 'new_expression':
      return call(node, flow);
    case 'this':
    case 'yield_expression':
    case 'jsx_element':
    case 'ERROR':
      return originOf('unknown', node.text());
    default:
      return CONSTANT; // literals, functions, classes, regular expressions, arithmetic
  }
}

function part(value: SgNode, key: string, flow: Flow): Origin {
  if (new RegExp(`^(?:${REQUEST_PARTS})$`, 'u').test(key) && isRequestObject(value, flow))
    return originOf('request', `${value.text()}.${key}`);
  return flow.origin(value);
}

/** JavaScript and TypeScript, with or without JSX. */
export const javascriptFlow: FlowModel = {
  functionKinds: FUNCTIONS,
  blockKinds: ['statement_block', 'program', 'switch_case', 'switch_default', 'class_body', 'arrow_function'],
  bindingKinds: [
    'variable_declarator',
    'assignment_expression',
    'augmented_assignment_expression',
    'for_in_statement',
    'formal_parameters',
    'arrow_function',
    'catch_clause',
    'function_declaration',
  ],
  bindings,
  evaluate,
  parameter,
  part,
};
