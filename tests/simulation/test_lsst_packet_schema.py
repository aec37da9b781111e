import fastavro
from test_packet_schema import shape

from fink_al.simulation.lsst_packet_schema import lsst_schema


def test_names_types_and_order_are_those_of_the_surveys_sample(shared_data):
    with (shared_data / "lsst_packets" / "fakeAlert_v11_0.avro").open("rb") as packet:
        real = fastavro.reader(packet).writer_schema
    assert shape(fastavro.parse_schema(lsst_schema())) == shape(real)
