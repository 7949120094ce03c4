// SPDX-License-Identifier: Apache-2.0
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * One token a line in; one line each out: "good", or why not. Verifier is the document's, and so is
 * SpringConfiguration, which is asked with the argument "spring".
 */
final class Table {
    private Table() {}

    interface Check {
        void of(String token) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        var check = arguments.length > 0 && arguments[0].equals("spring") ? spring() : nimbus();
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String token = lines.readLine(); token != null; token = lines.readLine()) {
            System.out.println(verdict(check, token));
        }
    }

    private static Check nimbus() throws Exception {
        var verifier = new Verifier();
        return verifier::verify;
    }

    private static Check spring() throws Exception {
        var decoder = new SpringConfiguration().jwtDecoder();
        return decoder::decode;
    }

    private static String verdict(Check check, String token) {
        try {
            check.of(token);
            return "good";
        } catch (Exception error) {
            return (error + " ").replace('\n', ' ');
        }
    }
}
