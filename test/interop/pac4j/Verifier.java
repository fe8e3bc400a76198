// pac4j with the issuer's discovery document and a client's id, and nothing else set. A line of standard
// input is what a token is to be and the token, a line of standard output the verdict: "access" for a
// bearer's call, "id" for an ID token.
import com.nimbusds.jwt.JWTParser;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.pac4j.core.context.CallContext;
import org.pac4j.core.credentials.TokenCredentials;
import org.pac4j.core.profile.UserProfile;
import org.pac4j.oidc.client.OidcClient;
import org.pac4j.oidc.config.OidcConfiguration;

public class Verifier {
    public static void main(String[] args) throws Exception {
        OidcConfiguration configuration = new OidcConfiguration();
        configuration.setDiscoveryURI(System.getenv("ISSUER") + "/.well-known/openid-configuration");
        configuration.setClientId(System.getenv("CLIENT_ID"));
        OidcClient client = new OidcClient(configuration);
        client.setCallbackUrl("http://127.0.0.1/callback");
        client.init();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split(" ", 2);
            String verdict = parts[0].equals("id")
                ? idToken(configuration, parts[1])
                : bearer(client, parts[1]);
            System.out.println(verdict.replace('\n', ' '));
        }
    }

    // As its documentation shows it for web services: whoever comes with a token is known by its claims.
    private static String bearer(OidcClient client, String token) {
        return client.getProfileCreator()
            .create(new CallContext(null, null), new TokenCredentials(token))
            .map(UserProfile::getId)
            .orElse("refused");
    }

    private static String idToken(OidcConfiguration configuration, String token) {
        try {
            configuration.getOpMetadataResolver().load();
            return configuration.getOpMetadataResolver()
                .getTokenValidator()
                .validateIdToken(JWTParser.parse(token), null)
                .getSubject()
                .getValue();
        } catch (Exception error) {
            return "refused: " + error.getMessage();
        }
    }
}
