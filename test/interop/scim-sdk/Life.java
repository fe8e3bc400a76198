// scim-sdk-client with the address of SCIM and a token, and nothing else set. A line of standard input is a
// step and its words, a line of standard output what came of it, as the client's own model has it.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import de.captaingoldfish.scim.sdk.client.ScimClientConfig;
import de.captaingoldfish.scim.sdk.client.ScimRequestBuilder;
import de.captaingoldfish.scim.sdk.client.response.ServerResponse;
import de.captaingoldfish.scim.sdk.common.constants.EndpointPaths;
import de.captaingoldfish.scim.sdk.common.constants.enums.Comparator;
import de.captaingoldfish.scim.sdk.common.constants.enums.PatchOp;
import de.captaingoldfish.scim.sdk.common.resources.Group;
import de.captaingoldfish.scim.sdk.common.resources.ResourceNode;
import de.captaingoldfish.scim.sdk.common.resources.ServiceProvider;
import de.captaingoldfish.scim.sdk.common.resources.User;
import de.captaingoldfish.scim.sdk.common.resources.base.ScimObjectNode;
import de.captaingoldfish.scim.sdk.common.resources.complex.Name;
import de.captaingoldfish.scim.sdk.common.resources.multicomplex.Email;
import de.captaingoldfish.scim.sdk.common.resources.multicomplex.Member;
import de.captaingoldfish.scim.sdk.common.response.ListResponse;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Map;

public class Life {
    private static final String USERS = EndpointPaths.USERS;
    private static final String GROUPS = EndpointPaths.GROUPS;

    public static void main(String[] args) throws Exception {
        ScimClientConfig config = ScimClientConfig.builder()
            .httpHeaders(Map.of("Authorization", "Bearer " + System.getenv("SCIM_TOKEN")))
            .build();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        try (ScimRequestBuilder scim = new ScimRequestBuilder(System.getenv("SCIM_URL"), config)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String outcome;
                try {
                    outcome = step(scim, line.split(" "));
                } catch (RuntimeException error) {
                    outcome = "threw " + error;
                }
                System.out.println(outcome.replaceAll("\\s*\\n\\s*", " "));
            }
        }
    }

    private static String step(ScimRequestBuilder scim, String[] words) {
        return switch (words[0]) {
            case "provider" -> provider(scim.loadServiceProviderConfiguration());
            case "create" -> told(scim.create(User.class, USERS).setResource(user(words[1])).sendRequest());
            case "get" -> told(scim.get(User.class, USERS, words[1]).sendRequest());
            case "put" -> told(
                scim.update(User.class, USERS, words[1]).setResource(user(words[2])).sendRequest()
            );
            case "remove" -> told(scim.delete(User.class, USERS, words[1]).sendRequest());
            case "page" -> told(
                scim.list(User.class, USERS).startIndex(Long.parseLong(words[1]))
                    .count(Integer.parseInt(words[2])).get().sendRequest()
            );
            case "all" -> told(
                scim.list(User.class, USERS).count(Integer.parseInt(words[1])).get().getAll()
            );
            case "search" -> told(
                scim.list(User.class, USERS).count(Integer.parseInt(words[1])).post().getAll()
            );
            case "filter" -> told(
                scim.list(User.class, USERS).filter(words[1], comparator(words[2]), words[3]).build()
                    .get().sendRequest()
            );
            case "patch" -> told(
                scim.patch(User.class, USERS, words[1]).addOperation().op(PatchOp.REPLACE)
                    .path("active").value("false").next().op(PatchOp.ADD)
                    .path("name.familyName").value(words[2]).next().op(PatchOp.REPLACE)
                    .path("emails[type eq \"work\"].value").value(words[2] + "@example.com").build()
                    .sendRequest()
            );
            case "group" -> told(
                scim.create(Group.class, GROUPS)
                    .setResource(Group.builder().displayName(words[1]).members(members(words[2])).build())
                    .sendRequest()
            );
            case "groups" -> told(
                scim.list(Group.class, GROUPS).filter("displayName", comparator(words[1]), words[2])
                    .build().get().sendRequest()
            );
            case "join" -> told(
                scim.patch(Group.class, GROUPS, words[1]).addOperation().op(PatchOp.ADD).path("members")
                    .valueNodes(members(words[2])).build().sendRequest()
            );
            case "leave" -> told(
                scim.patch(Group.class, GROUPS, words[1]).addOperation().op(PatchOp.REMOVE)
                    .path("members[value eq \"" + words[2] + "\"]").build().sendRequest()
            );
            case "disband" -> told(scim.delete(Group.class, GROUPS, words[1]).sendRequest());
            default -> throw new IllegalArgumentException(words[0]);
        };
    }

    private static String provider(ServiceProvider provider) {
        ObjectNode told = JsonNodeFactory.instance.objectNode();
        told.put("patch", provider.getPatchConfig().isSupported());
        told.put("filter", provider.getFilterConfig().isSupported());
        told.put("maxResults", provider.getFilterConfig().getMaxResults());
        told.put("bulk", provider.getBulkConfig().isSupported());
        told.put("etag", provider.getETagConfig().isSupported());
        return told.toString();
    }

    private static User user(String name) {
        return User.builder()
            .userName(name)
            .name(Name.builder().givenName(name).build())
            .emails(List.of(Email.builder().value(name + "@example.com").type("work").primary(true).build()))
            .active(true)
            .build();
    }

    private static List<Member> members(String ids) {
        return List.of(ids.split(",")).stream().map(id -> Member.builder().value(id).build()).toList();
    }

    private static Comparator comparator(String name) {
        return Comparator.valueOf(name);
    }

    /** What the client makes of an answer: whether it takes it for one of SCIM's, and what is in it. */
    private static <T extends ScimObjectNode> String told(ServerResponse<T> response) {
        ObjectNode told = JsonNodeFactory.instance.objectNode();
        told.put("status", response.getHttpStatus());
        told.put("success", response.isSuccess());
        // getAll makes one answer of several, which has no headers that could be looked at.
        boolean isWhole = response.getRequiredResponseHeaders() == null;
        told.put("valid", isWhole || response.isValidScimResponse());
        if (response.isSuccess() && response.getResource() instanceof ListResponse<?> list) {
            told.put("total", list.getTotalResults());
            list.getListedResources().forEach(each -> told.withArray("resources").add((JsonNode) each));
        } else if (response.isSuccess() && response.getResource() instanceof ResourceNode resource) {
            told.set("resource", resource);
        } else if (response.getErrorResponse() != null) {
            told.set("error", response.getErrorResponse());
        }
        return told.toString();
    }
}
