/*
 * pgJDBC: types, batches, fetch sizes, generated keys, savepoints, isolation levels, COPY, metadata, cancel.
 *
 * Run as a single file:  java -cp postgresql.jar Jdbc.java HOST:PORT/DATABASE
 */
import java.io.StringReader;
import java.math.BigDecimal;
import java.sql.*;
import java.time.OffsetDateTime;
import java.util.*;
import org.postgresql.PGConnection;

class Jdbc {
    interface Test {
        void run() throws Exception;
    }

    static int failed = 0;
    static String url;
    static Connection connection;

    static void holds(String sentence, Test test) {
        try {
            test.run();
            System.out.println("ok    " + sentence);
        } catch (Exception | AssertionError error) {
            failed++;
            System.out.println("FAIL  " + sentence);
            error.printStackTrace(System.out);
        }
    }

    static void equal(Object got, Object wanted) {
        if (!Objects.equals(got, wanted))
            throw new AssertionError("got " + got + ", wanted " + wanted);
    }

    static Connection connect(String options) throws SQLException {
        return DriverManager.getConnection(url + options, System.getenv("PGUSER"), System.getenv("PGPASSWORD"));
    }

    static long number(String query) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(query)) {
            rows.next();
            return rows.getLong(1);
        }
    }

    static void execute(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    static String stateOf(Test test) throws Exception {
        try {
            test.run();
        } catch (SQLException error) {
            return error.getSQLState();
        }
        throw new AssertionError("no error");
    }

    static void valuesComeBack() throws SQLException {
        OffsetDateTime opened = OffsetDateTime.parse("2024-02-29T12:30:15.25Z");
        byte[] photo = {0, 1, -1};
        try (PreparedStatement insert = connection.prepareStatement(
                 "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?::jsonb, ?)")) {
            insert.setLong(1, 1);
            insert.setString(2, "Ann");
            insert.setBigDecimal(3, new BigDecimal("12.50"));
            insert.setObject(4, opened);
            insert.setArray(5, connection.createArrayOf("text", new String[] {"a", null}));
            insert.setString(6, "{\"x\": 1}");
            insert.setBytes(7, photo);
            equal(insert.executeUpdate(), 1);
        }
        try (PreparedStatement select = connection.prepareStatement("SELECT * FROM account WHERE id = ?")) {
            select.setLong(1, 1);
            ResultSet row = select.executeQuery();
            equal(row.next(), true);
            equal(row.getString("owner"), "Ann");
            equal(row.getBigDecimal("balance"), new BigDecimal("12.50"));
            equal(row.getObject("opened", OffsetDateTime.class), opened);
            equal(Arrays.asList((String[]) row.getArray("tags").getArray()), Arrays.asList("a", null));
            equal(row.getString("data"), "{\"x\": 1}");
            equal(Arrays.equals(row.getBytes("photo"), photo), true);
            equal(row.next(), false);
        }
    }

    static void batch(Connection on, long from, String owner) throws SQLException {
        try (PreparedStatement insert = on.prepareStatement(
                 "INSERT INTO account (id, owner, balance) VALUES (?, ?, ?)")) {
            for (long id = from; id < from + 1000; id++) {
                insert.setLong(1, id);
                insert.setString(2, owner);
                insert.setBigDecimal(3, BigDecimal.valueOf(id));
                insert.addBatch();
            }
            long rows = 0;
            for (int one : insert.executeBatch())
                rows += one == Statement.SUCCESS_NO_INFO ? 1 : one;
            equal(rows, 1000L);
        }
    }

    static void batches() throws SQLException {
        connection.setAutoCommit(false);
        batch(connection, 1000, "batch");
        connection.commit();
        try (Connection rewriting = connect("?reWriteBatchedInserts=true")) {
            batch(rewriting, 2000, "rewritten");
        }
        equal(number("SELECT count(*) FROM account WHERE owner = 'batch' AND balance = id"), 1000L);
        equal(number("SELECT count(*) FROM account WHERE owner = 'rewritten' AND balance = id"), 1000L);
        connection.commit();
    }

    static void fetchSize() throws SQLException {
        Set<Long> seen = new HashSet<>();
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(64);
            ResultSet rows = statement.executeQuery("SELECT id FROM account WHERE owner = 'batch'");
            while (rows.next())
                seen.add(rows.getLong(1));
        }
        connection.commit();
        equal(seen.size(), 1000);
    }

    static void generatedKeys() throws SQLException {
        execute("CREATE SEQUENCE jdbc_id START 5000");
        execute("CREATE FOREIGN TABLE numbered (id bigint DEFAULT nextval('jdbc_id'), word text)"
                + " SERVER kv OPTIONS (keyspace 'jdbc_numbered')");
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO numbered (word) VALUES (?)",
                                                                    Statement.RETURN_GENERATED_KEYS)) {
            for (String word : List.of("one", "two", "three")) {
                insert.setString(1, word);
                insert.addBatch();
            }
            insert.executeBatch();
            List<Long> keys = new ArrayList<>();
            for (ResultSet rows = insert.getGeneratedKeys(); rows.next();)
                keys.add(rows.getLong("id"));
            equal(keys, List.of(5000L, 5001L, 5002L));
        }
        connection.commit();
        equal(number("SELECT count(*) FROM numbered WHERE id = 5001 AND word = 'two'"), 1L);
    }

    static void savepoints() throws SQLException {
        execute("INSERT INTO numbered VALUES (1, 'kept')");
        Savepoint savepoint = connection.setSavepoint("s");
        execute("INSERT INTO numbered VALUES (2, 'lost')");
        connection.rollback(savepoint);
        connection.commit();
        equal(number("SELECT count(*) FROM numbered WHERE id IN (1, 2)"), 1L);
    }

    static void updatableResults() throws Exception {
        String state = stateOf(() -> {
            try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE,
                                                                  ResultSet.CONCUR_UPDATABLE)) {
                ResultSet row = statement.executeQuery("SELECT id, word FROM numbered WHERE id = 1");
                row.next();
                row.updateString("word", "changed");
            }
        });
        equal(state, "24000");
        connection.rollback();
    }

    static void levels() throws Exception {
        for (int level : new int[] {Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_REPEATABLE_READ,
                                    Connection.TRANSACTION_SERIALIZABLE}) {
            connection.setTransactionIsolation(level);
            equal(number("SELECT count(*) FROM numbered WHERE id = 1"), 1L);
            connection.commit();
        }
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        connection.setReadOnly(true);
        equal(stateOf(() -> execute("INSERT INTO numbered VALUES (3, 'no')")), "25006");
        connection.rollback();
        connection.setReadOnly(false);
    }

    static void copy() throws Exception {
        equal(connection.unwrap(PGConnection.class).getCopyAPI().copyIn(
                  "COPY numbered FROM STDIN (FORMAT csv)", new StringReader("10,ten\n11,\"e,leven\"\n")), 2L);
        connection.commit();
        equal(number("SELECT id FROM numbered WHERE word = 'e,leven'"), 11L);
    }

    static void preparedOnTheServer() throws SQLException {
        try (PreparedStatement select = connection.prepareStatement("SELECT word FROM numbered WHERE id = ?")) {
            // pgJDBC prepares on the server at the fifth, PostgreSQL may go generic at its sixth.
            for (int i = 0; i < 20; i++) {
                select.setLong(1, i % 2 == 0 ? 1 : 10);
                ResultSet row = select.executeQuery();
                row.next();
                equal(row.getString(1), i % 2 == 0 ? "kept" : "ten");
            }
        }
        equal(number("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%word FROM numbered%'"), 1L);
        connection.commit();
    }

    static void metadata() throws SQLException {
        DatabaseMetaData data = connection.getMetaData();
        ResultSet tables = data.getTables(null, "public", "account", null);
        equal(tables.next(), true);
        equal(tables.getString("TABLE_TYPE"), "FOREIGN TABLE");
        List<String> columns = new ArrayList<>();
        for (ResultSet rows = data.getColumns(null, "public", "account", null); rows.next();)
            columns.add(rows.getString("COLUMN_NAME") + " " + rows.getString("TYPE_NAME"));
        equal(columns, List.of("id int8", "owner text", "balance numeric", "opened timestamptz", "tags _text",
                               "data jsonb", "photo bytea"));
        equal(data.getPrimaryKeys(null, "public", "account").next(), false);
        connection.commit();
    }

    static void cancel() throws Exception {
        try (Statement slow = connection.createStatement()) {
            slow.setQueryTimeout(1);
            equal(stateOf(() -> slow.executeQuery("SELECT count(*) FROM account a, account b, account c, account d")),
                  "57014");
        }
        connection.rollback();
        equal(number("SELECT count(*) FROM numbered WHERE id = 1"), 1L);
        connection.commit();
    }

    public static void main(String[] arguments) throws Exception {
        url = "jdbc:postgresql://" + arguments[0];
        connection = connect("");
        holds("a row with a value of every kind comes back as it was given", Jdbc::valuesComeBack);
        holds("a batch inserts 1000 rows, also where the driver rewrites it", Jdbc::batches);
        holds("a fetch size reads by a cursor, in parts", Jdbc::fetchSize);
        holds("generated keys come back from a batch", Jdbc::generatedKeys);
        holds("a savepoint takes back its part only", Jdbc::savepoints);
        holds("an updatable result set is refused by the driver: it knows no primary key", Jdbc::updatableResults);
        holds("every isolation level can be set, and read-only is kept", Jdbc::levels);
        holds("CopyManager copies in", Jdbc::copy);
        holds("a statement run often is prepared on the server", Jdbc::preparedOnTheServer);
        holds("metadata: a table of type FOREIGN TABLE, with its columns and no primary key", Jdbc::metadata);
        holds("a query timeout ends a statement, and the connection goes on", Jdbc::cancel);
        System.exit(failed > 0 ? 1 : 0);
    }
}
