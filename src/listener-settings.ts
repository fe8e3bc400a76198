// What both listeners read of the configuration, each time that they need it: a reload may have changed it.
import type { Config } from './config/schema.ts'
import type { CallerSettings } from './http/callers/callers.ts'
import type { ApiSettings } from './http/management/api.ts'

/** What the public listener goes by. */
export function callerSettings(current: () => Config): CallerSettings {
  return {
    dpop: () => current().dpop,
    addressLimit: () => current().throttle.perAddress,
    clientLimit: () => current().throttle.perClient,
    sessionLimit: () => current().throttle.perSession,
  }
}

/** What the API of the management listener goes by. */
export function apiSettings(current: () => Config): ApiSettings {
  return {
    dpop: () => current().dpop,
    addressLimit: () => current().scim.perAddress,
    sessionLimit: () => current().throttle.perSession,
    callerLimit: () => current().scim.perClient,
    roles: () => current().admin.roles,
    tokens: () => current().scim.tokens,
    url: () => current().management.url,
    passwords: () => current().scim.passwords,
    strict: () => current().scim.profile === 'strict',
  }
}
