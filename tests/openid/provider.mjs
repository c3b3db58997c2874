// The city's identity provider for tests: oidc-provider on loopback, with people who sign in as the test says. Says on standard
// output, in one line of JSON, where it is, and ends when its standard input does.
//
// POST /test {"user": {...}} sets who sits at the browser: { sub, name, groups, amr }, or null for somebody who breaks off.
// POST /test {"back": "http://…"} leads back there from then on.
// POST /test {"rotate": true} signs with new keys from then on and forgets those before.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

// Its advice for real use is not for a test; faults go to standard error.
console.log = console.info = console.warn = () => {};

// Where the gateway's pages are told to lead back to; the path is the gateway's own.
let back = process.argv[2];
const secret = process.argv[3];

let user = null;
let round = 0;
let serve;

function keys() {
  round += 1;
  const jwk = (type, options, alg) => ({
    ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
    kid: `${alg}-${round}`,
    use: 'sig',
    alg,
  });
  return { keys: [jwk('rsa', { modulusLength: 2048 }, 'RS256'), jwk('ec', { namedCurve: 'P-256' }, 'ES256')] };
}

function begin(issuer) {
  const client = (id, alg, method) => ({
    client_id: id,
    client_secret: method === 'none' ? undefined : secret,
    redirect_uris: [back],
    response_types: ['code'],
    grant_types: ['authorization_code'],
    id_token_signed_response_alg: alg,
    token_endpoint_auth_method: method,
  });
  const provider = new Provider(issuer, {
    jwks: keys(),
    clients: [
      client('meguri-rs256', 'RS256', 'client_secret_basic'),
      client('meguri-es256', 'ES256', 'client_secret_basic'),
      client('meguri-public', 'ES256', 'none'),
    ],
    claims: { openid: ['sub'], profile: ['name', 'groups'], acr: null, amr: null },
    conformIdTokenClaims: false,
    pkce: { required: () => true, methods: ['S256'] },
    cookies: { keys: ['a test signs its cookies with this'] },
    features: { devInteractions: { enabled: false }, claimsParameter: { enabled: true } },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    async findAccount(_ctx, sub) {
      return { accountId: sub, claims: async () => user };
    },
    // The city's own system: nobody is asked whether it may know them.
    async loadExistingGrant(ctx) {
      const { Grant } = ctx.oidc.provider;
      const grant = new Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid profile');
      await grant.save();
      return grant;
    },
  });
  // What is a fault of this program, the test's output shows.
  provider.on('server_error', (_ctx, error) => console.error(error));
  const pages = provider.callback();
  return async (req, res) => {
    if (!req.url.startsWith('/interaction/')) return pages(req, res);
    const result = user
      ? { login: { accountId: user.sub, amr: user.amr, remember: false } }
      : { error: 'access_denied', error_description: 'broken off' };
    return provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false });
  };
}

const server = createServer((req, res) => {
  if (req.url !== '/test') {
    serve(req, res).catch((error) => { res.statusCode = 500; res.end(`${error}\n`); });
    return;
  }
  let text = '';
  req.on('data', (part) => { text += part; });
  req.on('end', () => {
    const told = JSON.parse(text);
    if ('user' in told) user = told.user;
    if (told.back) back = told.back;
    if (told.back || told.rotate) serve = begin(issuer);
    res.end('{}');
  });
});
let issuer;
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  serve = begin(issuer);
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
