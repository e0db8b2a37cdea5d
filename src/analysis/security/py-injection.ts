import type { SgNode } from '@ast-grep/napi';
import { ANY_VALUE, firstHit, flowHit, FROM_CALLER, FROM_REQUEST, functionText, outsideHit, stringValue } from './checks.ts';
import { isCatastrophic } from './regex-shape.ts';
import type { Call, Hit, Scene, SecurityRule } from './rule.ts';

const SQL_WORDS =
  /\b(?:select\b[^]*\bfrom|insert\s+into|update\b[^]*\bset|delete\s+from|drop\s+(?:table|database)|create\s+(?:table|database)|alter\s+table|where|order\s+by|union\s+select|values\s*\(|set\s+\w+\s*=)/iu;

/** Whether an expression is put together: +, %, format, f-string; names are looked up. */
export function isBuilt(node: SgNode, scene: Scene): boolean {
  const known = scene.definition(node);
  switch (known.kind()) {
    case 'binary_operator':
    case 'concatenated_string':
      return true;
    case 'string':
      return known.children().some((child) => child.kind() === 'interpolation');
    case 'call':
      return (
        /\.(?:format|join|replace|format_map)$/u.test(known.field('function')?.text().slice(-12) ?? '') ||
        /^(?:sqlalchemy\.)?text$/u.test(scene.call(known)?.callee ?? '')
      );
    case 'identifier':
      return true;
    default:
      return false;
  }
}

function sqlHit(call: Call, scene: Scene): Hit | null {
  const text = call.args[0] ?? call.option('sql') ?? call.option('query') ?? call.option('statement');
  if (text === null || text === undefined || !isBuilt(text, scene)) return null;
  const known = scene.definition(text);
  const inner =
    known.kind() === 'call' && /(?:^|\.)text$/u.test(scene.call(known)?.callee ?? '') ? scene.call(known)?.args[0] : known;
  const hit = flowHit(scene, inner ?? known, ANY_VALUE);
  if (hit === null || (inner !== undefined && !isBuilt(inner, scene))) return null;
  if (known.kind() === 'identifier') {
    const built = new RegExp(String.raw`\b${known.text()}\s*(?:\+=|=[^=\n]*(?:%|\+|\bf["']|\.format\())`, 'u').test(
      functionText(call.node, scene),
    );
    return built && SQL_WORDS.test(functionText(call.node, scene)) ? hit : null;
  }
  return SQL_WORDS.test(known.text()) || (hit.confidence === 'high' && !/^(?:run|query|cursor|prepare|fetch)$/u.test(call.name))
    ? hit
    : null;
}

const SQL_CALL =
  /(?:^|\.)(?:execute|executemany|executescript|raw|extra|RawSQL|exec_driver_sql|read_sql|read_sql_query|fetch|fetchrow|fetchval|fetch_all|fetch_one|mogrify|run_sql|callproc|from_statement|prepare|cursor|run|query)$/u;

/** Rules on query languages and regular expressions that are built from values. */
export const pyInjectionRules: readonly SecurityRule[] = [
  {
    id: 'security/py-sql-injection',
    severity: 'critical',
    cwe: ['CWE-89'],
    message: 'An SQL statement is built from a value that is not constant',
    advice: 'Use placeholders and pass the values separately.',
    keywords: [
      'execute',
      'raw(',
      'RawSQL',
      'extra(',
      'read_sql',
      'fetch',
      'exec_driver_sql',
      'run_sql',
      'mogrify',
      'from_statement',
      'prepare',
      'cursor(',
      '.run(',
      '.query(',
    ],
    calls: { callee: SQL_CALL, check: (call, scene) => (call.name === 'extra' ? extraHit(call, scene) : sqlHit(call, scene)) },
    bad: [
      'def f(cur, n):\n    cur.execute("SELECT * FROM t WHERE a = \'%s\'" % n)\n',
      'def f(cur, n):\n    cur.execute(f"DELETE FROM t WHERE a = {n}")\n',
      'def f(cur, n):\n    q = "SELECT a FROM t WHERE b = " + n\n    cur.execute(q)\n',
      'User.objects.raw("SELECT * FROM u WHERE n = {}".format(request.GET["n"]))\n',
      'from sqlalchemy import text\ndef f(c, n):\n    c.execute(text(f"select 1 from t where a = {n}"))\n',
    ],
    good: [
      'cur.execute("SELECT * FROM t WHERE a = %s", (n,))\n',
      'T = "users"\ncur.execute("SELECT * FROM " + T)\n',
      'def f(cur, q):\n    cur.execute(q)\n',
      'def f(cur, n):\n    cur.execute("SELECT * FROM t WHERE a = %d" % int(n))\n',
      'executor.execute(task)\n',
    ],
  },
  {
    id: 'security/py-sqlalchemy-text',
    severity: 'high',
    cwe: ['CWE-89'],
    message: 'sqlalchemy.text is given a statement that is built from values',
    advice: 'Use :name parameters with bindparams.',
    keywords: ['sqlalchemy'],
    calls: {
      callee: /^sqlalchemy(?:\.sql)?(?:\.expression)?\.(?:text|literal_column)$|\.(?:filter|order_by|group_by|having|distinct)$/u,
      check: (call, scene) => {
        const [text] = call.args;
        if (text === undefined) return null;
        const known = scene.definition(text);
        if (!isBuilt(text, scene) || known.kind() === 'identifier') return null;
        if (
          /^(?:filter|order_by|group_by|having|distinct)$/u.test(call.name) &&
          known.kind() === 'call' &&
          !/["']\.format\(/u.test(known.text())
        )
          return null;
        return flowHit(scene, known, ANY_VALUE);
      },
    },
    bad: [
      'from sqlalchemy import text\ndef f(n):\n    return text("select a from b where c = " + n)\n',
      'import sqlalchemy\ndef f(s, n):\n    s.query(U).filter("id={}".format(n))\n',
    ],
    good: [
      'from sqlalchemy import text\ntext("select a from b where c = :c")\n',
      'import sqlalchemy\ns.query(U).filter(U.id == n)\n',
    ],
  },
  {
    id: 'security/py-sql-string-request',
    severity: 'high',
    cwe: ['CWE-89'],
    message: 'A text that looks like SQL is put together with a value of the request',
    advice: 'Use placeholders and pass the values separately.',
    yieldsTo: ['security/py-sql-injection', 'security/py-sqlalchemy-text'],
    keywords: ['request', 'event[', 'input('],
    nodes: {
      kinds: ['binary_operator', 'string', 'call'],
      check: (node, scene) => {
        const kind = node.kind();
        if (kind === 'binary_operator' && node.parent()?.kind() === 'binary_operator') return null;
        const text = node.text();
        if (
          text.length > 2000 ||
          !/["'](?:\s*)(?:select\s+.*\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|drop\s+table|alter\s+table)/isu.test(
            text,
          )
        )
          return null;
        if (kind === 'call' && !/^(?:f?["']{1,3}.*)\.format\(/su.test(text)) return null;
        if (kind === 'string' && !/^[rR]?[fF]/u.test(text)) return null;
        return flowHit(scene, node, FROM_REQUEST);
      },
    },
    bad: [
      'def v(request):\n    q = "SELECT a FROM b WHERE c = " + request.GET["c"]\n    run(q)\n',
      'def v(request):\n    q = f"DELETE FROM b WHERE c = {request.POST[\'c\']}"\n',
    ],
    good: ['q = "SELECT a FROM b WHERE c = " + c\n', 'def v(request):\n    q = "Select a color from: " + request.GET["c"]\n'],
  },
  {
    id: 'security/py-ldap-xpath-injection',
    severity: 'high',
    cwe: ['CWE-90', 'CWE-643'],
    message: 'An LDAP or XPath filter is built from a value that comes from a caller',
    advice: 'Escape the value (ldap.filter.escape_filter_chars), or use XPath variables.',
    keywords: ['search', 'xpath', 'ldap'],
    calls: {
      callee:
        /\.(?:search_s|search_st|search_ext|search_ext_s)$|(?:ldap|conn|connection)\w*\.search$|\.xpath$|(?:^|\.)(?:XPath|ETXPath)$/u,
      check: (call, scene) => {
        const targets = /search/u.test(call.name) ? [...call.args.slice(0, 3), call.option('search_filter')] : [call.args[0]];
        return firstHit(scene, targets, (s, value) =>
          value !== null && value !== undefined && isBuilt(value, s) ? flowHit(s, value, FROM_CALLER) : null,
        );
      },
    },
    bad: [
      'def f(conn, u):\n    conn.search_s("dc=a", 2, "(uid=%s)" % u)\n',
      'def f(root, n):\n    return root.xpath("//u[@n=\'" + n + "\']")\n',
    ],
    good: ['conn.search_s("dc=a", 2, "(uid=a)")\n', 'def f(root, n):\n    return root.xpath("//u[@n=$n]", n=n)\n'],
  },
  {
    id: 'security/py-nosql-injection',
    severity: 'high',
    cwe: ['CWE-943'],
    message: 'A database filter takes an object or code from the request',
    advice: 'Take single values and convert them to strings.',
    keywords: ['find', '$where'],
    calls: {
      callee: /\.(?:find|find_one|update_one|update_many|delete_one|delete_many|aggregate)$/u,
      check: (call, scene) => {
        const [filter] = call.args;
        if (filter === undefined) return null;
        const text = scene.definition(filter).text();
        if (/["']\$where["']/u.test(text)) return flowHit(scene, filter, FROM_CALLER);
        const raw = /^(?:request\.(?:get_json\(|json\b)|json\.loads\()/u.test(text);
        return raw ? flowHit(scene, filter, FROM_REQUEST) : null;
      },
    },
    bad: [
      'def f():\n    return db.users.find_one(request.get_json())\n',
      'def f(x):\n    return c.find({"$where": "this.a == " + x})\n',
    ],
    good: ['db.users.find_one({"name": str(request.json["name"])})\n', 'text.find("a")\n'],
  },
  {
    id: 'security/py-regexp-dynamic',
    severity: 'medium',
    cwe: ['CWE-1333'],
    message: 'A regular expression is made of a value of the request, or takes exponential time on some texts',
    advice: 'Escape values with re.escape; let each character be matched in one way only.',
    keywords: ['re.', 'from re', 'regex'],
    calls: {
      callee: /^(?:re|regex)\.(?:compile|match|search|fullmatch|findall|finditer|sub|split)$/u,
      check: (call, scene) => {
        const literal = stringValue(scene, call.args[0]);
        if (literal !== null) return isCatastrophic(literal) ? { confidence: 'medium' } : null;
        return flowHit(scene, call.args[0], FROM_REQUEST);
      },
    },
    bad: ['import re\nre.compile(r"^(a+)+$")\n', 'import re\ndef v(request):\n    re.search(request.GET["p"], t)\n'],
    good: ['import re\nre.compile(r"^a+$")\n', 'import re\ndef v(request):\n    re.search(re.escape(request.GET["p"]), t)\n'],
  },
  {
    id: 'security/py-float-from-request',
    severity: 'low',
    cwe: ['CWE-704'],
    message: 'A number is read by float from the request: "nan" makes comparisons false',
    advice: 'Check with math.isfinite, or use int or Decimal.',
    keywords: ['float('],
    calls: {
      callee: /^(?:float|bool|complex)$/u,
      check: (call, scene) => (call.name === 'float' ? flowHit(scene, call.args[0], FROM_REQUEST) : null),
    },
    bad: ['def v(request):\n    n = float(request.GET["n"])\n'],
    good: ['float("1.0")\n', 'def f(n):\n    return float(n)\n'],
  },
];

function extraHit(call: Call, scene: Scene): Hit | null {
  const values = ['select', 'where', 'tables', 'order_by'].map((name) => call.option(name));
  return (
    firstHit(scene, [...values, call.args[0]], (s, value) => flowHit(s, value, FROM_CALLER)) ?? outsideHit(scene, call.args[0])
  );
}
