// What the configuration says of what users do for themselves, through apps.
import { Type } from 'typebox'
import { section } from '../parts.ts'

/** `selfService` */
export const SelfServiceSchema = section(
  'What users may do for themselves, through your apps (docs/self-service.md); nothing, by default.',
  {
    account: Type.Boolean({
      default: false,
      description:
        'Serves `/account` to users with an access token for the issuer, or with the scope `account`: see ' +
        'and change what is kept of them, set another password, end sessions, delete the account.',
    }),
  },
)
