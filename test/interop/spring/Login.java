// Spring Security's client, to which discovery gives all but the client's id. It logs in with openid,
// verifies the ID token, refreshes, asks /userinfo, and writes a line: whose tokens they are. Then a line of
// standard input is an algorithm, ES256 or RS256, and an ID token; a line of standard output the verdict.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import org.springframework.security.oauth2.client.endpoint.OAuth2ClientCredentialsGrantRequest;
import org.springframework.security.oauth2.client.endpoint.OAuth2RefreshTokenGrantRequest;
import org.springframework.security.oauth2.client.endpoint.RestClientClientCredentialsTokenResponseClient;
import org.springframework.security.oauth2.client.endpoint.RestClientRefreshTokenTokenResponseClient;
import org.springframework.security.oauth2.client.oidc.authentication.OidcIdTokenDecoderFactory;
import org.springframework.security.oauth2.client.oidc.userinfo.OidcUserRequest;
import org.springframework.security.oauth2.client.oidc.userinfo.OidcUserService;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrations;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.core.endpoint.OAuth2AccessTokenResponse;
import org.springframework.security.oauth2.core.oidc.OidcIdToken;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtException;

public class Login {
    public static void main(String[] args) throws Exception {
        // It takes RS256 alone unless another algorithm is named.
        OidcIdTokenDecoderFactory factory = new OidcIdTokenDecoderFactory();
        JwtDecoder decoderAsItComes = factory.createDecoder(registration(System.getenv("RS256_CLIENT_ID")));
        factory.setJwsAlgorithmResolver(client -> SignatureAlgorithm.ES256);
        ClientRegistration registration = registration(System.getenv("CLIENT_ID"));
        JwtDecoder decoder = factory.createDecoder(registration);
        System.out.println(logIn(registration, decoder));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split(" ", 2);
            System.out.println(verdict(parts[0].equals("RS256") ? decoderAsItComes : decoder, parts[1]));
        }
    }

    private static ClientRegistration registration(String clientId) {
        return ClientRegistrations.fromIssuerLocation(System.getenv("ISSUER"))
            .clientId(clientId)
            .clientAuthenticationMethod(ClientAuthenticationMethod.NONE)
            .authorizationGrantType(AuthorizationGrantType.CLIENT_CREDENTIALS)
            .scope("openid", "profile")
            .build();
    }

    private static String logIn(ClientRegistration registration, JwtDecoder decoder) {
        OAuth2AccessTokenResponse tokens = password(registration);
        OAuth2AccessTokenResponse next = new RestClientRefreshTokenTokenResponseClient().getTokenResponse(
            new OAuth2RefreshTokenGrantRequest(
                registration,
                tokens.getAccessToken(),
                tokens.getRefreshToken()));
        Jwt before = decoder.decode(idTokenOf(tokens));
        Jwt after = decoder.decode(idTokenOf(next));
        OidcIdToken idToken = new OidcIdToken(
            after.getTokenValue(),
            after.getIssuedAt(),
            after.getExpiresAt(),
            after.getClaims());
        OidcUser user = new OidcUserService().loadUser(
            new OidcUserRequest(registration, next.getAccessToken(), idToken));
        boolean same = before.getSubject().equals(user.getSubject());
        return same ? user.getPreferredUsername() : "somebody else";
    }

    // Spring Security 7 has no password grant: its client for client credentials sends what one needs.
    private static OAuth2AccessTokenResponse password(ClientRegistration registration) {
        var client = new RestClientClientCredentialsTokenResponseClient();
        client.setParametersCustomizer(parameters -> parameters.setAll(Map.of(
            "grant_type", "password",
            "username", System.getenv("LOGIN_NAME"),
            "password", System.getenv("PASSWORD"))));
        return client.getTokenResponse(new OAuth2ClientCredentialsGrantRequest(registration));
    }

    private static String idTokenOf(OAuth2AccessTokenResponse response) {
        return (String) response.getAdditionalParameters().get("id_token");
    }

    private static String verdict(JwtDecoder decoder, String token) {
        try {
            return decoder.decode(token).getSubject();
        } catch (JwtException error) {
            return "refused: " + error.getMessage().replace('\n', ' ');
        }
    }
}
