import { flowHit, FROM_REQUEST, isFalsy, isTrue, stringValue } from './checks.ts';
import type { Assignment, Hit, SecurityRule } from './rule.ts';

const INSECURE_SETTINGS: readonly (readonly [name: RegExp, value: RegExp])[] = [
  [
    /^(?:SESSION_COOKIE_SECURE|CSRF_COOKIE_SECURE|SESSION_COOKIE_HTTPONLY|REMEMBER_COOKIE_SECURE|REMEMBER_COOKIE_HTTPONLY|SECURE_SSL_REDIRECT|WTF_CSRF_ENABLED|WTF_CSRF_CHECK_DEFAULT)$/u,
    /^False$/u,
  ],
  [/^(?:CORS_ORIGIN_ALLOW_ALL|CORS_ALLOW_ALL_ORIGINS|DEBUG_PROPAGATE_EXCEPTIONS|TESTING)$/u, /^True$/u],
  [/^ENV$/u, /^["']development["']$/u],
];

function insecureSetting({ name, value }: Assignment): Hit | null {
  return INSECURE_SETTINGS.some(([names, values]) => names.test(name) && values.test(value.text()))
    ? { confidence: 'high' }
    : null;
}

/** Rules on web frameworks and their settings. */
export const pyWebRules: readonly SecurityRule[] = [
  {
    id: 'security/py-flask-debug',
    severity: 'high',
    cwe: ['CWE-489'],
    message: 'The debugger, which runs any code, is on',
    advice: 'Take debug from the environment, off by default.',
    keywords: ['debug', 'DEBUG'],
    productionOnly: true,
    calls: {
      callee: /(?:^|\.)(?:run|Flask|FastAPI|run_simple|DebuggedApplication)$/u,
      check: (call) => (isTrue(call.option('debug')) || isTrue(call.option('use_debugger')) ? { confidence: 'high' } : null),
    },
    assigns: {
      name: /^(?:DEBUG|debug)$/u,
      check: ({ target, value }) =>
        value.text() === 'True' && /^(?:DEBUG|app\.debug|app\.config\[.*\])$/u.test(target)
          ? { confidence: target === 'DEBUG' ? 'low' : 'high' }
          : null,
    },
    bad: ['from flask import Flask\napp.run(debug=True)\n', 'app.debug = True\n', 'app.config["DEBUG"] = True\n'],
    good: ['app.run()\n', 'app.run(debug=False)\n', 'debug = True\n'],
  },
  {
    id: 'security/py-autoescape-off',
    severity: 'high',
    cwe: ['CWE-79', 'CWE-116'],
    message: 'A template environment does not escape HTML',
    advice: 'Pass autoescape=True or select_autoescape().',
    keywords: ['Environment', 'autoescape'],
    entries: {
      key: /^autoescape$/u,
      check: ({ value, node }) =>
        value.text() === 'False' &&
        (node.kind() === 'pair' || !/Environment\(/u.test(node.parent()?.parent()?.text().slice(0, 60) ?? ''))
          ? { confidence: 'high' }
          : null,
    },
    calls: {
      callee: /^jinja2\.(?:sandbox\.)?(?:Environment|SandboxedEnvironment)$|^jinja2\.environment\.Environment$|^Environment$/u,
      check: (call, scene) => {
        const auto = call.option('autoescape');
        if (auto === null)
          return /jinja2/u.test(scene.text) && !call.args.some((a) => a.kind() === 'dictionary_splat')
            ? { confidence: 'medium' }
            : null;
        return isFalsy(auto) ? { confidence: 'high' } : null;
      },
    },
    bad: [
      'from jinja2 import Environment\nEnvironment(autoescape=False)\n',
      'import jinja2\njinja2.Environment(loader=l)\n',
      'c = Context({}, autoescape=False)\n',
    ],
    good: [
      'from jinja2 import Environment, select_autoescape\nEnvironment(autoescape=select_autoescape())\n',
      'from jinja2 import Environment\nEnvironment(autoescape=True)\n',
    ],
  },
  {
    id: 'security/py-csrf-off',
    severity: 'medium',
    cwe: ['CWE-352'],
    message: 'A view takes requests that other sites forge',
    advice: 'Keep the CSRF check, and send the token.',
    keywords: ['csrf_exempt', 'csrf', 'exempt'],
    nodes: {
      kinds: ['decorator'],
      check: (node) =>
        /^@(?:[\w.]*\.)?csrf_exempt\b|^@csrf\.exempt\b|require_csrf\s*=\s*False/u.test(node.text())
          ? { confidence: 'medium' }
          : null,
    },
    calls: {
      callee: /(?:^|\.)csrf_exempt$|^method_decorator$|\.set_default_csrf_options$/u,
      check: (call) => {
        if (call.name === 'csrf_exempt') return { confidence: 'medium' };
        if (call.name === 'set_default_csrf_options')
          return isFalsy(call.option('require_csrf')) || isFalsy(call.option('check_origin')) ? { confidence: 'high' } : null;
        return null;
      },
    },
    entries: {
      key: /^(?:csrf|require_csrf|check_origin)$/u,
      check: ({ value, node }) =>
        value.text() === 'False' && /csrf|meta/iu.test(node.parent()?.parent()?.text().slice(0, 300) ?? '')
          ? { confidence: 'medium' }
          : null,
    },
    bad: [
      'from django.views.decorators.csrf import csrf_exempt\n@csrf_exempt\ndef v(request):\n    pass\n',
      'urlpatterns = [path("a", csrf_exempt(v))]\n',
      '@view_config(route_name="a", require_csrf=False)\ndef v(request): pass\n',
    ],
    good: ['@csrf_protect\ndef v(request):\n    pass\n'],
  },
  {
    id: 'security/py-insecure-settings',
    severity: 'medium',
    cwe: ['CWE-16', 'CWE-614'],
    message: 'A protection of the framework is switched off',
    advice: 'Leave it on in production.',
    keywords: ['COOKIE', 'CSRF', 'CORS', 'SSL_REDIRECT', 'ALLOWED_HOSTS', 'TESTING', 'ENV'],
    productionOnly: true,
    assigns: {
      name: /^[A-Z][A-Z0-9_]+$/u,
      check: (assignment) => {
        if (assignment.name === 'ALLOWED_HOSTS')
          return /["']\*["']/u.test(assignment.value.text()) ? { confidence: 'medium' } : null;
        const isConfig = !/^(?:TESTING|ENV)$/u.test(assignment.name) || /config/u.test(assignment.target);
        return isConfig ? insecureSetting(assignment) : null;
      },
    },
    bad: [
      'SESSION_COOKIE_SECURE = False\n',
      'ALLOWED_HOSTS = ["*"]\n',
      'app.config["WTF_CSRF_ENABLED"] = False\n',
      'CORS_ORIGIN_ALLOW_ALL = True\n',
    ],
    good: ['SESSION_COOKIE_SECURE = True\n', 'ALLOWED_HOSTS = ["a.b"]\n'],
  },
  {
    id: 'security/py-insecure-cookie',
    severity: 'medium',
    cwe: ['CWE-614', 'CWE-1004'],
    message: 'A cookie can be read by scripts or sent over plain http',
    advice: "Pass secure=True, httponly=True, samesite='Lax'.",
    keywords: ['set_cookie', 'SignedCookieSessionFactory', 'AuthTktCookieHelper', 'AuthTktAuthenticationPolicy'],
    productionOnly: true,
    calls: {
      callee:
        /\.(?:set_cookie|set_signed_cookie)$|(?:SignedCookieSessionFactory|AuthTktCookieHelper|AuthTktAuthenticationPolicy)$/u,
      check: (call) => {
        if (call.args.some((arg) => arg.kind() === 'dictionary_splat')) return null;
        const secure = call.option('secure');
        const httpOnly = call.option('httponly') ?? call.option('http_only');
        if (isFalsy(secure) || isFalsy(httpOnly)) return { confidence: 'high' };
        return secure === null || httpOnly === null ? { confidence: 'low' } : null;
      },
    },
    bad: ['r.set_cookie("a", b)\n', 'r.set_cookie("a", b, secure=True, httponly=False)\n'],
    good: ['r.set_cookie("a", b, secure=True, httponly=True, samesite="Lax")\n', 'r.set_cookie("a", b, **options)\n'],
  },
  {
    id: 'security/py-cors-open',
    severity: 'medium',
    cwe: ['CWE-942'],
    message: 'Pages of any origin may read the answers',
    advice: 'Name the allowed origins.',
    keywords: ['CORS', 'Access-Control-Allow-Origin', 'allow_origins', 'access_control_allow_origin'],
    productionOnly: true,
    calls: {
      callee: /(?:^|\.)(?:add_middleware|CORS|cross_origin)$/u,
      check: (call) => {
        const origins = call.option('allow_origins') ?? call.option('origins') ?? call.option('resources');
        const open = origins !== null && /["']\*["']/u.test(origins.text());
        if (!open) return null;
        return {
          confidence: isTrue(call.option('allow_credentials')) || isTrue(call.option('supports_credentials')) ? 'high' : 'low',
        };
      },
    },
    assigns: {
      name: /^Access-Control-Allow-Origin$/u,
      check: ({ value }, scene) =>
        stringValue(scene, value) === '*' ? { confidence: 'low' } : flowHit(scene, value, FROM_REQUEST),
    },
    bad: [
      'app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)\n',
      'r.headers["Access-Control-Allow-Origin"] = "*"\n',
      'r.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]\n',
    ],
    good: ['app.add_middleware(CORSMiddleware, allow_origins=["https://a.b"], allow_credentials=True)\n'],
  },
  {
    id: 'security/py-assert-authorization',
    severity: 'low',
    cwe: ['CWE-617', 'CWE-703'],
    message: 'A right is checked by assert, which python -O leaves out',
    advice: 'Raise an error.',
    keywords: ['assert '],
    productionOnly: true,
    nodes: {
      kinds: ['assert_statement'],
      check: (node) =>
        /\bis_(?:admin|staff|superuser|authenticated|authorized|owner)\b|has_perm|\bpermissions?\b|\.role\b|check_password|logged_in/iu.test(
          node.text(),
        )
          ? { confidence: 'medium' }
          : null,
    },
    bad: ['def f(user):\n    assert user.is_admin\n'],
    good: ['assert x == 1\n', 'if not user.is_admin:\n    raise E()\n'],
  },
  {
    id: 'security/py-mass-assignment',
    severity: 'medium',
    cwe: ['CWE-915'],
    message: 'An object takes all fields of the request',
    advice: 'Name the fields that may be set.',
    keywords: ['request', "'__all__'", '"__all__"'],
    calls: {
      callee: /\.(?:create|update|update_or_create|filter|get_or_create)$|^[A-Z]\w*$|\.__dict__\.update$/u,
      check: (call, scene) => {
        const splat = call.args.find((arg) => arg.kind() === 'dictionary_splat');
        return flowHit(scene, splat, FROM_REQUEST);
      },
    },
    bad: ['def v(request):\n    User.objects.create(**request.data)\n', 'def f():\n    return User(**request.json)\n'],
    good: ['User.objects.create(name=request.data["name"])\n', 'User(**defaults)\n'],
  },
  {
    id: 'security/py-locals-in-template',
    severity: 'medium',
    cwe: ['CWE-96'],
    message: 'A template is given all local or global names',
    advice: 'Pass the names that the template needs.',
    keywords: ['locals()', 'globals()'],
    calls: {
      callee:
        /(?:^|\.)(?:render|render_to_response|render_to_string|render_template|TemplateResponse|get_template\(.*\)\.render)$/u,
      check: (call) =>
        call.args.some((arg) => /^(?:\*\*)?(?:locals|globals)\(\)$/u.test(arg.text())) ? { confidence: 'medium' } : null,
    },
    bad: ['def v(request):\n    return render(request, "a.html", locals())\n'],
    good: ['def v(request):\n    return render(request, "a.html", {"a": 1})\n'],
  },
  {
    id: 'security/py-template-not-escaped',
    severity: 'low',
    cwe: ['CWE-79'],
    message: 'Flask escapes only in templates whose names end in .html, .htm, .xml or .xhtml',
    advice: 'Rename the template.',
    keywords: ['render_template('],
    calls: {
      callee: /(?:^|\.)render_template$/u,
      check: (call, scene) => {
        const name = stringValue(scene, call.args[0]);
        return name !== null && /\.\w+$/u.test(name) && !/\.(?:html?|xml|xhtml|svg|txt|j2)$/u.test(name)
          ? { confidence: 'low' }
          : null;
      },
    },
    bad: ['render_template("a.unsafe", b=c)\n'],
    good: ['render_template("a.html", b=c)\n'],
  },
  {
    id: 'security/py-html-mail-request',
    severity: 'medium',
    cwe: ['CWE-79'],
    message: 'A mail in HTML repeats a value of the request',
    advice: 'Render a template that escapes.',
    keywords: ['html_message', 'EmailMessage'],
    entries: { key: /^html_message$/u, check: ({ value }, scene) => flowHit(scene, value, FROM_REQUEST) },
    calls: {
      callee: /(?:^|\.)EmailMessage$/u,
      check: (call, scene) => flowHit(scene, call.args[1] ?? call.option('body'), FROM_REQUEST),
    },
    bad: ['def v(request):\n    send_mail("a", "b", "c", ["d"], html_message="hi " + request.POST["m"])\n'],
    good: ['send_mail("a", "b", "c", ["d"], html_message="<b>hi</b>")\n'],
  },
  {
    id: 'security/py-mail-no-tls',
    severity: 'low',
    cwe: ['CWE-522'],
    message: 'A mail or directory connection sends its password without encryption',
    advice: 'Use the class with SSL, or call starttls before the login.',
    keywords: ['smtplib', 'imaplib', 'poplib', 'nntplib'],
    calls: {
      callee: /^(?:smtplib\.SMTP|imaplib\.IMAP4|poplib\.POP3|nntplib\.NNTP)$/u,
      check: (_call, scene) => (/\.(?:starttls|stls)\(/u.test(scene.text) ? null : { confidence: 'low' }),
    },
    bad: ['import smtplib\ns = smtplib.SMTP("a")\ns.login(u, p)\n'],
    good: ['import smtplib\ns = smtplib.SMTP_SSL("a")\n', 'import smtplib\ns = smtplib.SMTP("a")\ns.starttls()\n'],
  },
  {
    id: 'security/py-unsafe-upload-name',
    severity: 'medium',
    cwe: ['CWE-434', 'CWE-22'],
    message: 'An uploaded file is saved under the name that its sender chose',
    advice: 'Use secure_filename, or make a name.',
    keywords: ['.save(', 'filename'],
    calls: {
      callee: /\.save$/u,
      check: (call, scene) =>
        /\.filename\b/u.test(call.args.map((a) => scene.definition(a).text()).join(' ')) &&
        !/secure_filename|basename/u.test(scene.text)
          ? { confidence: 'medium' }
          : null,
    },
    bad: ['f = request.files["f"]\nf.save("up/" + f.filename)\n'],
    good: ['f.save("up/" + secure_filename(f.filename))\n', 'model.save()\n'],
  },
];
