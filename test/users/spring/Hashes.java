// Prints one JSON line per way of hashing a password that Spring Security's delegating encoder writes or has
// written, each made by its own encoder at that encoder's own cost. With `cheap` as argument bcrypt's cost is
// as low as it allows: those lines are fixtures of test/users/hashes.test.ts.
import java.util.LinkedHashMap;
import java.util.Map;
import org.springframework.security.crypto.argon2.Argon2PasswordEncoder;
import org.springframework.security.crypto.bcrypt.BCryptPasswordEncoder;
import org.springframework.security.crypto.password.DelegatingPasswordEncoder;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.security.crypto.password.Pbkdf2PasswordEncoder;
import org.springframework.security.crypto.scrypt.SCryptPasswordEncoder;

public class Hashes {
    private static final String PASSWORD = "correct h\u00f6rse \ud83d\udc34 battery";

    public static void main(String[] args) {
        boolean cheap = args.length > 0 && args[0].equals("cheap");
        Map<String, PasswordEncoder> encoders = new LinkedHashMap<>();
        encoders.put("bcrypt", new BCryptPasswordEncoder(cheap ? 4 : 10));
        encoders.put("pbkdf2", Pbkdf2PasswordEncoder.defaultsForSpringSecurity_v5_5());
        encoders.put("pbkdf2@SpringSecurity_v5_8", Pbkdf2PasswordEncoder.defaultsForSpringSecurity_v5_8());
        encoders.put("scrypt", SCryptPasswordEncoder.defaultsForSpringSecurity_v4_1());
        encoders.put("scrypt@SpringSecurity_v5_8", SCryptPasswordEncoder.defaultsForSpringSecurity_v5_8());
        encoders.put("argon2", Argon2PasswordEncoder.defaultsForSpringSecurity_v5_2());
        encoders.put("argon2@SpringSecurity_v5_8", Argon2PasswordEncoder.defaultsForSpringSecurity_v5_8());
        for (String id : encoders.keySet()) {
            print(id, new DelegatingPasswordEncoder(id, encoders).encode(PASSWORD));
        }
    }

    private static void print(String id, String hash) {
        String password = "correct h\\u00f6rse \\ud83d\\udc34 battery";
        System.out.println("{\"name\": \"spring {" + id + "}\", "
            + "\"password\": \"" + password + "\", \"hash\": \"" + hash + "\"}");
    }
}
