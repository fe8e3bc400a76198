// Code in our pages that is no whole program: what makes it one, and what it must print then.

/** A piece of code, by its page and how it begins. */
export interface Snippet {
  readonly page: string
  readonly begins: string
  readonly language: 'js' | 'python'
  readonly before?: string
  readonly after: string
  readonly prints: string
}

export const SNIPPETS: readonly Snippet[] = [
  {
    page: 'docs/how-to/scopes-audiences-roles.md',
    begins: 'def may_see_order',
    language: 'python',
    after: `
order = {"owner": "alice"}
callers = {"sub": "alice"}, {"sub": "bob", "roles": ["support"]}, {"sub": "eve"}
print([may_see_order(claims, order) for claims in callers])`,
    prints: '[True, True, False]',
  },
  {
    page: 'docs/operations.md',
    begins: 'const jwksUrl',
    language: 'js',
    before: `import { createRemoteJWKSet, jwtVerify } from 'jose'
const { TOKEN: token } = process.env
`,
    after: 'console.log(payload.client_id)',
    prints: 'mobile',
  },
  {
    page: 'docs/operations.md',
    begins: 'keys = jwt.PyJWKClient',
    language: 'python',
    before: `import os
import jwt
token = os.environ["TOKEN"]
`,
    after: 'print(claims["client_id"])',
    prints: 'mobile',
  },
]
