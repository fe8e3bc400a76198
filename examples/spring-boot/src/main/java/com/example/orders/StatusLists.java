package com.example.orders;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.FutureTask;
import java.util.zip.InflaterInputStream;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.client.ClientHttpResponse;
import org.springframework.http.client.JdkClientHttpRequestFactory;
import org.springframework.security.oauth2.core.OAuth2Error;
import org.springframework.security.oauth2.core.OAuth2ErrorCodes;
import org.springframework.security.oauth2.core.OAuth2TokenValidator;
import org.springframework.security.oauth2.core.OAuth2TokenValidatorResult;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtException;
import org.springframework.web.client.RestClient;

/**
 * Asks a status list whether a token was revoked (IETF Token Status List): one small file for a million
 * tokens, fetched when the copy is older than its {@code ttl}, instead of a question to Latchkey about each
 * token. One that can't be fetched anew is used until its {@code exp}.
 */
final class StatusLists implements OAuth2TokenValidator<Jwt> {

    private static final Duration FETCH_TIMEOUT = Duration.ofSeconds(5);
    /** A list of 2^20 bits; what inflates to more is none of Latchkey's. */
    private static final int MOST_BYTES = 1 << 17;
    /** That list, if it can't be compressed: in base64 twice, and the other claims. */
    private static final int MOST_BODY_BYTES = 1 << 18;
    private static final long DEFAULT_TTL_SECONDS = 10;
    private static final OAuth2TokenValidatorResult REVOKED =
        OAuth2TokenValidatorResult.failure(new OAuth2Error(OAuth2ErrorCodes.INVALID_TOKEN, "revoked", null));

    /** A verified list; {@code freshUntil} is by System.nanoTime(). */
    private record StatusList(byte[] bits, long freshUntil, Instant exp) {

        boolean isFresh() {
            return System.nanoTime() - freshUntil < 0;
        }

        boolean isPast() {
            return !Instant.now().isBefore(exp);
        }
    }

    private final String issuer;
    private final DefaultJWTProcessor<SecurityContext> verifier = new DefaultJWTProcessor<>();
    private final RestClient client;
    private final ConcurrentMap<String, StatusList> lists = new ConcurrentHashMap<>();
    private final ConcurrentMap<String, FutureTask<StatusList>> loading = new ConcurrentHashMap<>();

    StatusLists(String issuer, JWKSource<SecurityContext> keys) {
        this.issuer = issuer;
        JOSEObjectType type = new JOSEObjectType("statuslist+jwt");
        verifier.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(type));
        verifier.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.ES256, keys));
        DefaultJWTClaimsVerifier<SecurityContext> claims = new DefaultJWTClaimsVerifier<>(
            new JWTClaimsSet.Builder().issuer(issuer).build(),
            Set.of("sub", "exp", "iat")
        );
        // A list is good until its exp, a new one as well as a kept one.
        claims.setMaxClockSkew(0);
        verifier.setJWTClaimsSetVerifier(claims);
        // Java's client follows no redirects, unless told to.
        JdkClientHttpRequestFactory requests = new JdkClientHttpRequestFactory(HttpClient.newHttpClient());
        requests.setReadTimeout(FETCH_TIMEOUT);
        client = RestClient.builder().requestFactory(requests).build();
    }

    /**
     * Fails for a revoked token; throws a JwtException when the list can't be had. A token of no list is
     * taken as not revoked.
     */
    @Override
    public OAuth2TokenValidatorResult validate(Jwt token) {
        try {
            return isRevoked(token) ? REVOKED : OAuth2TokenValidatorResult.success();
        } catch (Exception error) {
            // No BadJwtException: it would be a verdict on the token.
            throw new JwtException("the status list can't be had", error);
        }
    }

    private boolean isRevoked(Jwt token) throws Exception {
        Map<String, Object> status = token.getClaimAsMap("status");
        if (status == null || status.get("status_list") == null) {
            return false;
        }
        Map<?, ?> reference = (Map<?, ?>) status.get("status_list");
        String uri = (String) reference.get("uri");
        int index = Math.toIntExact((Long) reference.get("idx"));
        if (!uri.startsWith(issuer + "/")) {
            throw new IOException("a status list of somebody else");
        }
        // A list that is too short is one that can't be had.
        return (listAt(uri).bits()[index >> 3] >> (index & 7) & 1) == 1;
    }

    private StatusList listAt(String uri) throws Exception {
        StatusList known = lists.get(uri);
        if (known != null && known.isFresh()) {
            return known;
        }
        try {
            return loadOnce(uri);
        } catch (Exception error) {
            if (known == null || known.isPast()) {
                throw error;
            }
            return known;
        }
    }

    // Many requests may want the same list; one fetches it.
    private StatusList loadOnce(String uri) throws Exception {
        FutureTask<StatusList> mine = new FutureTask<>(() -> load(uri));
        FutureTask<StatusList> others = loading.putIfAbsent(uri, mine);
        if (others != null) {
            return others.get();
        }
        mine.run();
        loading.remove(uri);
        return mine.get();
    }

    private StatusList load(String uri) throws Exception {
        // Whatever the list says was so before it was asked for.
        long askedAt = System.nanoTime();
        JWTClaimsSet claims = verifier.process(fetch(uri), null);
        Map<String, Object> list = claims.getJSONObjectClaim("status_list");
        if (!uri.equals(claims.getSubject()) || !Long.valueOf(1).equals(list.get("bits"))) {
            throw new IOException("not that list, or not one of one bit per token");
        }
        long ttlSeconds = Objects.requireNonNullElse(claims.getLongClaim("ttl"), DEFAULT_TTL_SECONDS);
        StatusList loaded = new StatusList(
            inflate((String) list.get("lst")),
            askedAt + Duration.ofSeconds(ttlSeconds).toNanos(),
            claims.getExpirationTime().toInstant()
        );
        lists.put(uri, loaded);
        lists.values().removeIf(StatusList::isPast);
        return loaded;
    }

    private String fetch(String uri) {
        return client.get().uri(URI.create(uri)).header(HttpHeaders.ACCEPT, "application/statuslist+jwt")
            .exchange((request, answer) -> textOf(answer));
    }

    private static String textOf(ClientHttpResponse answer) throws IOException {
        if (answer.getStatusCode() != HttpStatus.OK) {
            throw new IOException("the status list was answered " + answer.getStatusCode());
        }
        return new String(atMost(MOST_BODY_BYTES, answer.getBody()), StandardCharsets.US_ASCII);
    }

    private static byte[] inflate(String list) throws IOException {
        InputStream compressed = new ByteArrayInputStream(Base64.getUrlDecoder().decode(list));
        return atMost(MOST_BYTES, new InflaterInputStream(compressed));
    }

    private static byte[] atMost(int most, InputStream stream) throws IOException {
        byte[] bytes = stream.readNBytes(most + 1);
        if (bytes.length > most) {
            throw new IOException("more than " + most + " bytes");
        }
        return bytes;
    }
}
