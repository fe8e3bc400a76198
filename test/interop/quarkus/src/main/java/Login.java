// Quarkus logs in with openid, verifies the ID token, refreshes, and says on a line whose tokens they are.
// Then a line of standard input is what a token is to be, "access" or "id", and the token; a line of standard
// output the verdict.
import io.quarkus.oidc.AccessTokenCredential;
import io.quarkus.oidc.Tenant;
import io.quarkus.oidc.TenantIdentityProvider;
import io.quarkus.oidc.client.OidcClient;
import io.quarkus.oidc.client.Tokens;
import io.quarkus.runtime.QuarkusApplication;
import io.quarkus.runtime.annotations.QuarkusMain;
import jakarta.inject.Inject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.eclipse.microprofile.jwt.JsonWebToken;

@QuarkusMain
public class Login implements QuarkusApplication {
    @Inject
    OidcClient client;

    @Inject
    TenantIdentityProvider accessTokens;

    @Inject
    @Tenant("id")
    TenantIdentityProvider idTokens;

    @Override
    public int run(String... args) throws Exception {
        Tokens tokens = client.getTokens().await().indefinitely();
        Tokens next = client.refreshTokens(tokens.getRefreshToken()).await().indefinitely();
        JsonWebToken before = verify(idTokens, tokens.get("id_token"));
        JsonWebToken after = verify(idTokens, next.get("id_token"));
        boolean same = before.getSubject().equals(after.getSubject());
        System.out.println(same ? before.<String>getClaim("preferred_username") : "somebody else");

        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split(" ", 2);
            System.out.println(verdict(parts[0].equals("id") ? idTokens : accessTokens, parts[1]));
        }
        return 0;
    }

    private static JsonWebToken verify(TenantIdentityProvider provider, String token) {
        return (JsonWebToken) provider.authenticate(new AccessTokenCredential(token))
            .await()
            .indefinitely()
            .getPrincipal();
    }

    private static String verdict(TenantIdentityProvider provider, String token) {
        try {
            return verify(provider, token).getSubject();
        } catch (RuntimeException error) {
            return "refused: " + error.getMessage();
        }
    }
}
