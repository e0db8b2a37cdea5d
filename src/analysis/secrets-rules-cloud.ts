import type { SecretRule } from './secrets-rule.ts';

const BEFORE = String.raw`(?<![A-Za-z0-9_\-])`;
const AFTER = String.raw`(?![A-Za-z0-9_\-])`;

/** A rule for a token that begins with a mark of its own. */
export function marked(
  name: string,
  label: string,
  body: string,
  keywords: readonly string[],
  bad: string,
  more: Partial<Pick<SecretRule, 'severity' | 'confidence' | 'minimumEntropy' | 'good'>> = {},
): SecretRule {
  return {
    id: `secrets/${name}`,
    label,
    severity: more.severity ?? 'critical',
    confidence: more.confidence ?? 'high',
    keywords,
    pattern: new RegExp(`${BEFORE}(${body})${AFTER}`, 'gu'),
    minimumEntropy: more.minimumEntropy ?? 2.8,
    bad: [bad],
    good: more.good ?? [bad.replace(/\{\w+:(\d+)\}/gu, (_whole, length: string) => 'x'.repeat(Number(length)))],
  };
}

/** Credentials of clouds, code hosts and package registries. */
export const cloudSecretRules: readonly SecretRule[] = [
  marked(
    'aws-access-key-id',
    'AWS access key id',
    '(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}',
    ['AKIA', 'ASIA', 'ABIA', 'ACCA'],
    'id = "AK{join}IA{base32:16}"',
    {
      severity: 'high',
      good: ['id = "AK{join}IAIOSFODNN7EXAMPLE"', 'AK{join}IAXXXXXXXXXXXXXXXX'],
    },
  ),
  {
    id: 'secrets/aws-secret-access-key',
    label: 'AWS secret access key',
    severity: 'critical',
    confidence: 'high',
    keywords: ['aws', 'secretaccesskey', 'secret_access_key', 'secret_key'],
    anyCase: true,
    pattern:
      /(?:aws.{0,20}(?:secret|key)|secret_?access_?key)\w{0,12}["'\]]{0,2}\s{0,3}(?:=>|[:=]|,)\s{0,3}["'`]?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/giu,
    minimumEntropy: 4,
    accepts: (secret) => /[A-Z]/u.test(secret) && /[a-z]/u.test(secret) && /\d/u.test(secret),
    bad: ['aws_secret_access_key = {base64:38}a1', 'secretAccessKey: "{base64:38}Z9"', 'AWS_SECRET_KEY="{base64:37}Aa7"'],
    good: [
      'aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      'aws_secret_access_key = ${AWS_SECRET}',
      'aws_key_commit = {hex:40}',
    ],
  },
  marked(
    'github-token',
    'GitHub token',
    'gh[pousr]_[A-Za-z0-9]{36,251}',
    ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'],
    'token: gh{join}p_{alnum:36}',
  ),
  marked(
    'github-fine-grained-token',
    'GitHub fine-grained token',
    'github_pat_[A-Za-z0-9_]{50,}',
    ['github_pat_'],
    'github{join}_pat_{alnum:22}_{alnum:59}',
  ),
  marked(
    'gitlab-token',
    'GitLab token',
    'gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas)-[A-Za-z0-9_\\-.]{20,}',
    ['glpat-', 'gldt-', 'glrt-', 'glcbt-', 'glptt-', 'glft-', 'glsoat-', 'glimt-', 'glagent-', 'gloas-'],
    'gl{join}pat-{word:19}a',
  ),
  marked('google-api-key', 'Google API key', 'AIza[A-Za-z0-9_\\-]{35}', ['AIza'], 'key = "AI{join}za{word:34}b"', {
    severity: 'high',
  }),
  marked(
    'google-oauth-secret',
    'Google OAuth client secret',
    'GOCSPX-[A-Za-z0-9_\\-]{28}',
    ['GOCSPX-'],
    'GOC{join}SPX-{word:27}c',
  ),
  {
    id: 'secrets/gcp-service-account',
    label: 'key of a Google Cloud service account',
    severity: 'critical',
    confidence: 'high',
    keywords: ['service_account'],
    pattern: /"private_key"\s*:\s*"(-----BEGIN (?:RSA )?PRIVATE KEY-----(?:\\n|[A-Za-z0-9+/=\s]){100,}[^"]*)"/gu,
    multiline: true,
    minimumEntropy: 4,
    bad: [
      '{ "type": "service_account", "private_key": "-----BEGIN {join}PRIVATE KEY-----\\n{base64:400}\\n-----END {join}PRIVATE KEY-----\\n" }',
    ],
    good: [
      '{ "type": "service_account", "private_key": "-----BEGIN {join}PRIVATE KEY-----\\n...\\n-----END {join}PRIVATE KEY-----\\n" }',
    ],
  },
  {
    id: 'secrets/azure-storage-key',
    label: 'Azure account key',
    severity: 'critical',
    confidence: 'high',
    keywords: ['AccountKey=', 'SharedAccessKey='],
    pattern: /(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{42,86}={1,2})/gu,
    minimumEntropy: 4,
    bad: [
      'DefaultEndpointsProtocol=https;AccountName=a;AccountKey={base64:86}==;',
      'Endpoint=sb://a/;SharedAccessKey={base64:43}=',
    ],
    good: [
      'AccountKey=<your key>',
      'AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
    ],
    accepts: (secret) => !secret.startsWith('Eby8vdM02xNOcqFl'), // the published key of the storage emulator
  },
  {
    id: 'secrets/azure-sas-signature',
    label: 'Azure shared access signature',
    severity: 'high',
    confidence: 'medium',
    keywords: ['sig='],
    pattern: /[?&](?:sv|se|sp|sr)=[^\s"']{0,200}[?&]sig=([A-Za-z0-9%+/]{40,}(?:%3D|=)?)/gu,
    minimumEntropy: 4,
    bad: ['https://a.blob/c?sv=2020-08-04&se=2030&sig={base64:43}%3D'],
    good: ['https://a.blob/c?sv=2020&sig=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'],
  },
  marked(
    'azure-client-secret',
    'Azure client secret',
    '[A-Za-z0-9_~.\\-]{3}\\dQ~[A-Za-z0-9_~.\\-]{31,34}',
    ['Q~'],
    'secret = "a1B8{join}Q~{alnum:34}"',
  ),
  marked(
    'digitalocean-token',
    'DigitalOcean token',
    'do[opr]_v1_[a-f0-9]{64}',
    ['dop_v1_', 'doo_v1_', 'dor_v1_'],
    'do{join}p_v1_{hex:64}',
  ),
  {
    id: 'secrets/heroku-api-key',
    label: 'Heroku API key',
    severity: 'critical',
    confidence: 'medium',
    keywords: ['heroku', 'hrku-'],
    anyCase: true,
    pattern:
      /(?:heroku\w{0,20}["'\]]{0,2}\s{0,3}[:=]\s{0,3}["'`]?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})|(HRKU-[A-Za-z0-9_-]{30,}))/giu,
    minimumEntropy: 2.8,
    bad: ['HEROKU_API_KEY={hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}', 'HR{join}KU-{word:60}'],
    good: ['HEROKU_API_KEY=00000000-0000-0000-0000-000000000000', 'id = {hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}'],
  },
  {
    id: 'secrets/cloudflare-token',
    label: 'Cloudflare API token',
    severity: 'critical',
    confidence: 'medium',
    keywords: ['cloudflare', 'cf_api', 'cf_token', 'cfapi'],
    anyCase: true,
    pattern:
      /(?:cloudflare|cf)_?(?:api)?_?(?:key|token|secret)\w{0,10}["'\]]{0,2}\s{0,3}[:=]\s{0,3}["'`]?([A-Za-z0-9_-]{40}|[0-9a-f]{37})(?![A-Za-z0-9_-])/giu,
    minimumEntropy: 3.2,
    bad: ['CLOUDFLARE_API_TOKEN="{alnum:40}"', 'cf_api_key: {hex:37}'],
    good: ['CLOUDFLARE_API_TOKEN="${CLOUDFLARE_API_TOKEN}"', 'CLOUDFLARE_API_TOKEN="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"'],
  },
  marked(
    'cloudflare-origin-key',
    'Cloudflare origin CA key',
    'v1\\.0-[a-f0-9]{24}-[a-f0-9]{146}',
    ['v1.0-'],
    'v1{join}.0-{hex:24}-{hex:146}',
  ),
  marked('databricks-token', 'Databricks token', 'dapi[a-f0-9]{32}(?:-\\d)?', ['dapi'], 'token = "da{join}pi{hex:32}"'),
  marked('npm-token', 'npm token', 'npm_[A-Za-z0-9]{36}', ['npm_'], '//registry/:_authToken=np{join}m_{alnum:36}'),
  {
    id: 'secrets/npmrc-auth',
    label: 'password or token of a package registry',
    severity: 'critical',
    confidence: 'medium',
    keywords: ['_authToken', '_password', '_auth'],
    pattern: /:_(?:authToken|password|auth)\s*=\s*["']?([A-Za-z0-9_\-+/=.]{16,})/gu,
    minimumEntropy: 3,
    bad: ['//registry.a.b/:_authToken={hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}', '//registry.a.b/:_password={alnum:24}'],
    good: ['//registry.a.b/:_authToken=${NPM_TOKEN}'],
  },
  marked('pypi-token', 'PyPI token', 'pypi-[A-Za-z0-9_\\-]{60,}', ['pypi-'], 'password = py{join}pi-AgEIcHlwaS5vcmc{word:69}a'),
  marked('rubygems-token', 'RubyGems token', 'rubygems_[a-f0-9]{48}', ['rubygems_'], 'ruby{join}gems_{hex:48}'),
  marked('docker-token', 'Docker Hub token', 'dckr_(?:pat|oat)_[A-Za-z0-9_\\-]{27,}', ['dckr_'], 'dc{join}kr_pat_{word:26}a'),
  marked(
    'vault-token',
    'HashiCorp Vault token',
    'hv[sbr]\\.[A-Za-z0-9_\\-]{24,}',
    ['hvs.', 'hvb.', 'hvr.'],
    'h{join}vs.{word:27}a',
  ),
  marked(
    'terraform-token',
    'Terraform Cloud token',
    '[A-Za-z0-9]{14}\\.atlasv1\\.[A-Za-z0-9_\\-=]{60,}',
    ['.atlasv1.'],
    '{alnum:14}.atlas{join}v1.{alnum:67}',
  ),
  marked('pulumi-token', 'Pulumi token', 'pul-[a-f0-9]{40}', ['pul-'], 'pu{join}l-{hex:40}'),
  marked('alibaba-key-id', 'Alibaba Cloud access key id', 'LTAI[A-Za-z0-9]{16,26}', ['LTAI'], 'LT{join}AI{alnum:20}', {
    severity: 'high',
  }),
  marked(
    'planetscale-token',
    'PlanetScale credential',
    'pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_\\-.]{32,}',
    ['pscale_'],
    'psc{join}ale_tkn_{word:42}a',
  ),
  marked(
    'supabase-token',
    'Supabase token',
    'sb(?:p_[a-f0-9]{40}|_secret_[A-Za-z0-9_\\-]{20,})',
    ['sbp_', 'sb_secret_'],
    'sb{join}p_{hex:40}',
  ),
  marked(
    'doppler-token',
    'Doppler token',
    'dp\\.(?:pt|st|ct|sa|scim|audit)\\.(?:[a-z0-9\\-_]{2,35}\\.)?[A-Za-z0-9]{40,44}',
    ['dp.'],
    'd{join}p.pt.{alnum:43}',
  ),
];
