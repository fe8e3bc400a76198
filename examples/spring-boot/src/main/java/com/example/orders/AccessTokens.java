package com.example.orders;

import static org.springframework.security.config.Customizer.withDefaults;

import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.SecurityContext;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URI;
import java.time.Duration;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.security.authentication.AuthenticationServiceException;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.core.OAuth2TokenValidator;
import org.springframework.security.oauth2.core.OAuth2TokenValidatorResult;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtAudienceValidator;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtIssuerValidator;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.JwtTypeValidator;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.server.resource.web.authentication.BearerTokenAuthenticationFilter;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.filter.OncePerRequestFilter;

/** Checks Latchkey's access tokens offline (RFC 9068 §4); Spring refuses as RFC 6750 §3 says. */
@Configuration
class AccessTokens {

    private static final Duration OUTAGE = Duration.ofMinutes(15);
    /** By how much the clocks of two machines may differ. */
    private static final Duration LEEWAY = Duration.ofSeconds(30);

    @Bean
    SecurityFilterChain security(HttpSecurity http) throws Exception {
        return http
            .authorizeHttpRequests(requests -> requests
                .requestMatchers(HttpMethod.GET, "/orders").hasAuthority("SCOPE_orders:read")
                .requestMatchers(HttpMethod.POST, "/orders").hasAuthority("SCOPE_orders:write")
                .anyRequest().denyAll())
            .oauth2ResourceServer(server -> server.jwt(withDefaults()))
            // No cookie says who somebody is, so none can be abused.
            .sessionManagement(sessions -> sessions.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
            .csrf(csrf -> csrf.disable())
            .addFilterBefore(new Unavailable(), BearerTokenAuthenticationFilter.class)
            .build();
    }

    @Bean
    JwtDecoder tokens(
        @Value("${latchkey.issuer}") String issuer,
        @Value("${latchkey.audience}") String audience
    ) throws MalformedURLException {
        JWKSource<SecurityContext> keys = keysOf(issuer);
        OAuth2TokenValidator<Jwt> claims = claims(issuer, audience);
        OAuth2TokenValidator<Jwt> statusLists = new StatusLists(issuer, keys);
        NimbusJwtDecoder decoder = NimbusJwtDecoder.withJwkSource(keys)
            .jwsAlgorithm(SignatureAlgorithm.ES256)
            .build();
        // DelegatingOAuth2TokenValidator asks all, whatever the first ones say; no list is fetched for a
        // token that isn't for us.
        decoder.setJwtValidator(token -> {
            OAuth2TokenValidatorResult result = claims.validate(token);
            return result.hasErrors() ? result : statusLists.validate(token);
        });
        return decoder;
    }

    // Kept for five minutes; Latchkey publishes a key a week before it signs with it.
    private static JWKSource<SecurityContext> keysOf(String issuer) throws MalformedURLException {
        return JWKSourceBuilder.create(URI.create(issuer + "/.well-known/jwks.json").toURL())
            .refreshAheadCache(false)
            // A limit would answer 503 to a token whose key nobody published.
            .rateLimited(false)
            // While Latchkey is away, its keys must not be forgotten before its status lists are over. Nor be
            // good for much longer: a stolen key is, too. What is found at the end of these minutes is kept
            // for the usual five.
            .outageTolerant(OUTAGE.toMillis())
            .build();
    }

    private static OAuth2TokenValidator<Jwt> claims(String issuer, String audience) {
        return new DelegatingOAuth2TokenValidator<>(
            new JwtTypeValidator("at+jwt", "application/at+jwt"),
            new JwtTimestampValidator(LEEWAY),
            new JwtClaimValidator<>("exp", exp -> exp != null),
            new JwtClaimValidator<>("sub", sub -> sub != null),
            new JwtIssuerValidator(issuer),
            new JwtAudienceValidator(audience));
    }

    /**
     * That keys or status lists can't be had says nothing about the token: the client must not throw it away.
     */
    private static final class Unavailable extends OncePerRequestFilter {
        @Override
        protected void doFilterInternal(
            HttpServletRequest request,
            HttpServletResponse response,
            FilterChain chain
        ) throws ServletException, IOException {
            try {
                chain.doFilter(request, response);
            } catch (AuthenticationServiceException error) {
                logger.warn("keys or status lists can't be fetched", error);
                response.setStatus(HttpServletResponse.SC_SERVICE_UNAVAILABLE);
                response.setHeader(HttpHeaders.RETRY_AFTER, "5");
            }
        }
    }
}
