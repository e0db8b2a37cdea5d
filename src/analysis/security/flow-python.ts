import type { SgNode } from '@ast-grep/napi';
import type { Binding, Flow, FlowModel } from './dataflow.ts';
import { CONSTANT, type Origin, originOf, worst } from './origin.ts';

const REQUEST_PARTS =
  'args|form|json|values|data|cookies|headers|files|GET|POST|PUT|FILES|COOKIES|META|body|query_params|path_params|get_json|get_data|query_string|query|url|base_url|full_path|path|view_args|match_info|rel_url|params|stream|GET_params|referrer|text|post|host';
const SOURCE = new RegExp(String.raw`(?:^|\.)(?:request|req|flask\.request|bottle\.request)\.(?:${REQUEST_PARTS})\b`, 'u');
const SOURCE_CALL =
  /(?:^|\.)(?:get_query_argument|get_body_argument|get_argument|get_arguments|get_json)$|^(?:input|raw_input)$|^(?:flask\.)?request\.\w+$|^sys\.stdin\.read(?:line)?s?$|^cgi\.FieldStorage$/u;
const SANITIZER_CALL =
  /(?:^|\.)(?:int|float|bool|len|ord|hash|id|isinstance|uuid4|UUID|hexdigest|digest|secure_filename|basename|safe_join|escape|quote|quote_plus|bleach|clean|literal_eval|isdigit|isalnum|isidentifier|startswith|endswith|token_hex|token_urlsafe|index|count|find|now|utcnow|today|time|Identifier|Literal|urlencode|range|enumerate_choices|url_for|reverse)$/u;
const SANITIZER_WORD =
  /sanit|escape|clean|valid|whitelist|allowlist|allowed|safe(?!ty)|strip_tags|slugify|quote|url_has_allowed|is_safe|parameteriz/iu;
const UNSAFE_WORD = /unsafe|unescape|unquote|mark_safe|invalid|safe_load|yaml|SafeString|SafeText/iu;
const PROPAGATES =
  /^(?:str|repr|bytes|list|tuple|dict|set|sorted|reversed|zip|enumerate|map|filter|next|iter|format|os\.path\.\w+|pathlib\.\w+|json\.loads|json\.dumps|urllib\.parse\.\w+|base64\.\w+|codecs\.\w+|textwrap\.dedent|shlex\.split|io\.\w+|BytesIO|StringIO|Path)$/u;

function textOf(node: SgNode): string {
  return node.text().replace(/\s+/gu, '');
}

function targets(pattern: SgNode | null): string[] {
  if (pattern === null) return [];
  switch (pattern.kind()) {
    case 'identifier':
      return [pattern.text()];
    case 'pattern_list':
    case 'tuple_pattern':
    case 'list_pattern':
    case 'list_splat_pattern':
    case 'dictionary_splat_pattern':
    case 'as_pattern_target':
      return pattern.namedChildren().flatMap((part) => targets(part));
    default:
      return [];
  }
}

function bind(node: SgNode, pattern: SgNode | null, value: SgNode | null, how: Binding['how'], isPart = false): Binding[] {
  const names = targets(pattern);
  return names.map((name) => ({ name, node, value, how, ...(isPart || names.length > 1 ? { key: '' } : {}) }));
}

function parameters(list: SgNode): Binding[] {
  return list.namedChildren().flatMap((parameter, index) => {
    const name = parameter.kind() === 'identifier' ? parameter : (parameter.field('name') ?? parameter.child(0));
    const names = name?.kind() === 'identifier' ? [name.text()] : targets(name);
    return names.map((text) => ({
      name: text,
      node: list,
      value: null,
      how: 'parameter' as const,
      index,
      mark: parameter.text(),
    }));
  });
}

function bindings(node: SgNode): readonly Binding[] {
  switch (node.kind()) {
    case 'assignment': {
      const value = node.field('right');
      return value === null ? [] : bind(node, node.field('left'), value, 'declare');
    }
    case 'augmented_assignment':
      return bind(node, node.field('left'), node.field('right'), 'augment');
    case 'named_expression':
      return bind(node, node.field('name'), node.field('value'), 'declare');
    case 'for_statement':
    case 'for_in_clause':
      return bind(node, node.field('left'), node.field('right'), 'declare', true);
    case 'as_pattern':
      return bind(node, node.field('alias'), node.child(0), 'declare', true);
    case 'parameters':
    case 'lambda_parameters':
      return parameters(node);
    case 'function_definition':
    case 'class_definition':
      return [{ name: node.field('name')?.text() ?? '', node, value: null, how: 'function' }];
    default:
      return [];
  }
}

/** Text of the decorators of a function, empty where it has none. */
function decoratorsOf(fn: SgNode): string {
  const around = fn.parent();
  if (around?.kind() !== 'decorated_definition') return '';
  return around
    .children()
    .filter((child) => child.kind() === 'decorator')
    .map((child) => child.text())
    .join('\n');
}

const ROUTE_DECORATOR = /@[\w.]*\b(?:route|get|post|put|delete|patch|websocket|api_view|callback|view_config)\b/u;

function parameter(binding: Binding, fn: SgNode, flow: Flow): Origin {
  const { name } = binding;
  if (name === 'self' || name === 'cls' || name === 'request' || name === 'req') return originOf('unknown', name);
  if (/=\s*(?:Query|Body|Form|Path|Header|Cookie|File)\(/u.test(binding.mark ?? '')) return originOf('request', name);
  const list = fn.field('parameters')?.text() ?? '';
  if (/^\((?:self\s*,\s*)?request\b/u.test(list)) return originOf('request', `parameter ${name} of the view`);
  if (/^\(\s*event\b.*,\s*_?context\b/u.test(list) && name === 'event') return originOf('request', name);
  if (ROUTE_DECORATOR.test(decoratorsOf(fn))) {
    return /:\s*(?:int|float|bool|UUID|uuid\.UUID|\w*(?:Session|Depends|Service)\w*)\b/u.test(binding.mark ?? '')
      ? originOf('sanitized', binding.mark ?? name)
      : originOf('request', `parameter ${name} of the route`);
  }
  if (fn.kind() === 'lambda') {
    const around = fn.parent()?.parent();
    const iterated = around?.kind() === 'call' ? (around.field('arguments')?.namedChildren() ?? []) : [];
    const others = iterated.filter((arg) => arg.id() !== fn.id());
    return others.length > 0 ? worst(others.map((arg) => flow.origin(arg))) : originOf('unknown', name);
  }
  return originOf('parameter', name);
}

function attribute(node: SgNode, flow: Flow): Origin {
  const text = textOf(node);
  if (SOURCE.test(text) || SOURCE.test(flow.canonical(text))) return originOf('request', text);
  if (flow.canonical(text) === 'sys.argv') return originOf('parameter', 'sys.argv');
  const object = node.field('object');
  const name = node.field('attribute')?.text() ?? '';
  if (/^[A-Z][A-Z0-9_]+$/u.test(name)) return CONSTANT;
  if (object === null || object.text() === 'self') return originOf('unknown', text);
  const from = flow.origin(object);
  if (from.kind === 'request' || from.kind === 'sanitized') return from;
  if (from.kind === 'parameter') return originOf('parameter', text);
  return originOf('unknown', text);
}

function subscript(node: SgNode, flow: Flow): Origin {
  const text = textOf(node);
  if (SOURCE.test(text) || SOURCE.test(flow.canonical(text))) return originOf('request', text);
  const object = node.field('value');
  if (object === null) return originOf('unknown', text);
  const from = flow.origin(object);
  if (from.kind !== 'constant') return from;
  const index = node.field('subscript');
  return index === null || flow.origin(index).kind === 'constant' ? CONSTANT : originOf('sanitized', `${object.text()}[…]`);
}

/** Whether a function of this name checks, converts or escapes what it is given. */
function isSanitizerName(callee: string): boolean {
  const name = callee.slice(callee.lastIndexOf('.') + 1);
  return (SANITIZER_CALL.test(callee) || SANITIZER_WORD.test(name)) && !UNSAFE_WORD.test(callee);
}

function call(node: SgNode, flow: Flow): Origin {
  const fn = node.field('function');
  if (fn === null) return originOf('unknown', node.text());
  const callee = flow.canonical(textOf(fn));
  if (SOURCE_CALL.test(callee)) return originOf('request', textOf(node));
  if (isSanitizerName(callee)) return originOf('sanitized', callee);
  const parts = (node.field('arguments')?.namedChildren() ?? []).map((arg) => flow.origin(arg));
  if (PROPAGATES.test(callee)) return worst(parts);
  const receiver = fn.kind() === 'attribute' ? fn.field('object') : null;
  if (receiver === null) return worst([...parts, originOf('unknown', callee)]);
  return worst([...parts, SOURCE.test(callee) ? originOf('request', callee) : flow.origin(receiver)]);
}

function children(node: SgNode, flow: Flow): Origin {
  return worst(node.namedChildren().map((child) => flow.origin(child)));
}

function evaluate(node: SgNode, flow: Flow): Origin {
  switch (node.kind()) {
    case 'identifier': {
      const name = node.text();
      return /^__\w+__$/u.test(name) || /^[A-Z][A-Z0-9_]+$/u.test(name) ? CONSTANT : originOf('unknown', name);
    }
    case 'string':
    case 'interpolation':
    case 'concatenated_string':
    case 'parenthesized_expression':
    case 'list':
    case 'tuple':
    case 'set':
    case 'expression_list':
    case 'dictionary':
    case 'dictionary_splat':
    case 'list_splat':
    case 'await':
    case 'boolean_operator':
      return children(node, flow);
    case 'pair':
    case 'keyword_argument': {
      const value = node.field('value');
      return value === null ? CONSTANT : flow.origin(value);
    }
    case 'list_comprehension':
    case 'set_comprehension':
    case 'generator_expression': {
      const body = node.field('body');
      return body === null ? CONSTANT : flow.origin(body);
    }
    case 'binary_operator':
      return ['+', '%', '/', '|'].includes(node.field('operator')?.text() ?? '') ? children(node, flow) : CONSTANT;
    case 'conditional_expression':
      return worst([node.child(0), node.child(4)].flatMap((part) => (part === null ? [] : [flow.origin(part)])));
    case 'named_expression': {
      const value = node.field('value');
      return value === null ? CONSTANT : flow.origin(value);
    }
    case 'attribute':
      return attribute(node, flow);
    case 'subscript':
      return subscript(node, flow);
    case 'call':
      return call(node, flow);
    case 'yield':
    case 'ERROR':
      return originOf('unknown', node.text());
    default:
      return CONSTANT; // literals, lambdas, comparisons
  }
}

/** Python 3. */
export const pythonFlow: FlowModel = {
  functionKinds: ['function_definition', 'lambda'],
  blockKinds: ['block', 'module'],
  bindingKinds: [
    'assignment',
    'augmented_assignment',
    'named_expression',
    'for_statement',
    'for_in_clause',
    'as_pattern',
    'parameters',
    'lambda_parameters',
    'function_definition',
    'class_definition',
  ],
  bindings,
  evaluate,
  parameter,
  part: (value, _key, flow) => flow.origin(value),
};
