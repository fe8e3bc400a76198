// Spring Security's decoder as a resource server has it by default: a line of standard input is a token, a
// line of standard output the verdict.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.JwtAudienceValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtException;
import org.springframework.security.oauth2.jwt.JwtIssuerValidator;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.JwtTypeValidator;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;

public class Verifier {
    public static void main(String[] args) throws Exception {
        JwtDecoder decoder = decoder(System.getenv("ISSUER"), System.getenv("AUDIENCE"));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String token = lines.readLine(); token != null; token = lines.readLine()) {
            System.out.println(verdict(decoder, token));
        }
    }

    private static JwtDecoder decoder(String issuer, String audience) {
        NimbusJwtDecoder decoder = NimbusJwtDecoder.withJwkSetUri(issuer + "/.well-known/jwks.json")
            .jwsAlgorithm(SignatureAlgorithm.ES256)
            .validateType(false)
            .build();
        decoder.setJwtValidator(new DelegatingOAuth2TokenValidator<>(List.of(
            new JwtTypeValidator("at+jwt"),
            new JwtTimestampValidator(),
            new JwtIssuerValidator(issuer),
            new JwtAudienceValidator(audience))));
        return decoder;
    }

    private static String verdict(JwtDecoder decoder, String token) {
        try {
            decoder.decode(token);
            return "good";
        } catch (JwtException error) {
            return error.getMessage();
        }
    }
}
