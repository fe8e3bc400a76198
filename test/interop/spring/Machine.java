// Spring Security's client as it comes: a token with each way of authentication, a line each: how, the token,
// its type and its scopes.
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import java.util.function.Function;
import org.springframework.security.oauth2.client.endpoint.NimbusJwtClientAuthenticationParametersConverter;
import org.springframework.security.oauth2.client.endpoint.OAuth2ClientCredentialsGrantRequest;
import org.springframework.security.oauth2.client.endpoint.RestClientClientCredentialsTokenResponseClient;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.core.OAuth2AccessToken;

public class Machine {
    public static void main(String[] args) throws Exception {
        JWK key = ECKey.parse(System.getenv("SIGNER_KEY"));
        var client = new RestClientClientCredentialsTokenResponseClient();
        Function<ClientRegistration, JWK> keyOf = registration -> key;
        client.addParametersConverter(
            new NimbusJwtClientAuthenticationParametersConverter<OAuth2ClientCredentialsGrantRequest>(keyOf));
        String secret = System.getenv("CLIENT_SECRET");
        show(client, System.getenv("CLIENT_ID"), secret, ClientAuthenticationMethod.CLIENT_SECRET_BASIC);
        show(client, System.getenv("CLIENT_ID"), secret, ClientAuthenticationMethod.CLIENT_SECRET_POST);
        show(client, System.getenv("SIGNER_ID"), "", ClientAuthenticationMethod.PRIVATE_KEY_JWT);
    }

    private static void show(
        RestClientClientCredentialsTokenResponseClient client,
        String id,
        String secret,
        ClientAuthenticationMethod method) {
        ClientRegistration registration = ClientRegistration.withRegistrationId("latchkey")
            .tokenUri(System.getenv("LATCHKEY_URL") + "/token")
            .clientId(id)
            .clientSecret(secret)
            .clientAuthenticationMethod(method)
            .authorizationGrantType(AuthorizationGrantType.CLIENT_CREDENTIALS)
            .scope("orders:read")
            .build();
        OAuth2AccessToken token =
            client.getTokenResponse(new OAuth2ClientCredentialsGrantRequest(registration)).getAccessToken();
        String scopes = String.join(",", token.getScopes());
        String type = token.getTokenType().getValue();
        System.out.println(String.join(" ", method.getValue(), token.getTokenValue(), type, scopes));
    }
}
