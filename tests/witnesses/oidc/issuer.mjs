// A server of OpenID Connect that we did not write publishes its keys, and signs tokens with the claims of Entra's and with others.
// Arguments: the folder of its package, and the file for what it has signed.
import { createRequire } from 'node:module';
import { writeFileSync, renameSync } from 'node:fs';

const [folder, out] = process.argv.slice(2);
const { OAuth2Server } = createRequire(`${folder}/`)('oauth2-mock-server');

const tenant = 'aaaaaaaa-0001-4000-8000-000000000001';
const actionGroups = '461e8683-5575-4561-ac7f-899cc907d62a';

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
await server.issuer.keys.generate('ES256');
await server.start(0, '127.0.0.1');
const kids = Object.fromEntries(server.issuer.keys.toJSON().map((key) => [key.alg, key.kid]));

const v1 = (claims) => Object.assign(claims, {
  iss: `https://sts.windows.net/${tenant}/`, tid: tenant, aud: 'api://itsm-connector', appid: actionGroups, ver: '1.0',
  sub: '99999999-0001-4000-8000-000000000001', roles: ['ActionGroupsSecureWebhook'],
});
const v2 = (claims) => {
  v1(claims);
  delete claims.appid;
  Object.assign(claims, { iss: `https://login.microsoftonline.com/${tenant}/v2.0`, azp: actionGroups, ver: '2.0' });
};
const sign = (change, options = {}) => server.issuer.buildToken({
  kid: kids.RS256, ...options, scopesOrTransform: (header, claims) => change(claims, header),
});
const but = (changes) => (claims) => Object.assign(v1(claims), changes);

const tokens = {
  'version 1.0': [202, await sign(v1)],
  'version 2.0': [202, await sign(v2)],
  'as the server signs it by itself': [401, await sign(() => {})],
  'by a key of another kind': [401, await sign(v1, { kid: kids.ES256 })],
  'of another tenant': [401, await sign(but({ iss: 'https://sts.windows.net/bbbbbbbb-0001-4000-8000-000000000001/', tid: 'bbbbbbbb-0001-4000-8000-000000000001' }))],
  'for another audience': [401, await sign(but({ aud: 'api://somebody-else' }))],
  'for two audiences': [401, await sign(but({ aud: ['api://somebody-else', 'api://itsm-connector'] }))],
  'expired': [401, await sign(v1, { expiresIn: -120 })],
  'not valid yet': [401, await sign(but({ nbf: Math.floor(Date.now() / 1000) + 600 }))],
  'of another app': [403, await sign(but({ appid: 'cccccccc-0001-4000-8000-000000000001' }))],
  'of a person': [403, await sign(but({ scp: 'user_impersonation', roles: undefined }))],
};
writeFileSync(`${out}.part`, JSON.stringify({ keys: `${server.issuer.url}/jwks`, tokens }));
renameSync(`${out}.part`, out);
process.on('SIGTERM', () => server.stop().then(() => process.exit(0)));
