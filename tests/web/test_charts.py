"""Tests of :mod:`xbot.web.charts`."""

from twisted.trial import unittest

from xbot.web.charts import HEIGHT, WIDTH, bars, line, strip


def shapes(chart, kind):
    return [each.attributes for each in chart.children if getattr(each, "tagName", "") == kind]


class ChartTests(unittest.TestCase):
    def test_bars(self):
        """The newest bar is at the right edge, the highest nearly at the top; 0 has none."""
        low, high = shapes(bars([0, 2, 1], 10, "x"), "rect")
        self.assertGreater(float(low["x"]), float(high["x"]))
        self.assertEqual(WIDTH - float(low["x"]) - float(low["width"]), 0.15 * WIDTH / 10)
        self.assertEqual(float(low["height"]) * 2, float(high["height"]))
        self.assertLess(float(high["height"]), HEIGHT)

    def test_line(self):
        """A line is interrupted where there is no value; one value alone can be seen."""
        chart = line([1.0, 2.0, None, 3.0], 10, "x")
        first, second = (each["points"].split() for each in shapes(chart, "polyline"))
        self.assertEqual((len(first), len(second)), (2, 2))
        self.assertTrue(second[0].startswith(f"{WIDTH:g},"))

    def test_strip(self):
        """A stripe says whether all, part or nothing was well."""
        kinds = [
            each["class"]
            for each in shapes(strip([(True, 1.0), (True, 0.5), (False, 1.0)], 9, "x"), "rect")
        ]
        self.assertEqual(kinds, ["bad", "part", "good"])

    def test_nothing(self):
        """Without values, or with none but 0, a chart is empty."""
        for chart in (
            bars([], 10, "x"),
            bars([0, 0], 10, "x"),
            line([], 10, "x"),
            line([None], 10, "x"),
        ):
            self.assertEqual(len(chart.children), 1)
        self.assertEqual(len(shapes(line([0.0, 0.0], 10, "x"), "polyline")), 1)
