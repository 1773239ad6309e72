//! Tables as a picture: a diagram for each, with logarithmic axes, on which a power of the size is a
//! straight line.

use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::starts::Result;
use crate::table::{Series, Table};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Width and height of a diagram.
const DIAGRAM: (u32, u32) = (560, 400);
/// Colours that are told apart by who sees few colours (Okabe and Ito), and in print.
const COLOURS: [RGBColor; 3] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115)];
const FONT: &str = "sans-serif";

pub(crate) fn draw(tables: &[Table], file: &Path) -> Result<()> {
    let columns = tables.len().min(2);
    let rows = tables.len().div_ceil(2);
    let size = (DIAGRAM.0 * u32::try_from(columns)?, DIAGRAM.1 * u32::try_from(rows)?);
    let root = SVGBackend::new(file, size).into_drawing_area();
    root.fill(&WHITE)?;
    for (table, area) in tables.iter().zip(root.split_evenly((rows, columns))) {
        diagram(table, &area)?;
    }
    root.present()?;
    Ok(())
}

fn diagram(table: &Table, area: &Area<'_>) -> Result<()> {
    let all = || table.series.iter().flat_map(|series| series.points.iter().copied());
    let (sizes, costs) = (range(all().map(|(size, _)| size)), range(all().map(|(_, cost)| cost)));
    // Room for the names of the lines above them.
    let costs = costs.start / 2.0..costs.end * 8.0;
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        // The last size is written half beside the diagram.
        .margin_right(28)
        .caption(table.title, (FONT, 16))
        .x_label_area_size(42)
        .y_label_area_size(64)
        .build_cartesian_2d(sizes.clone().log_scale(), costs.clone().log_scale())?;
    chart
        .configure_mesh()
        .x_desc(format!("{} (dashed: linear growth)", table.size))
        .y_desc(table.unit)
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .label_style((FONT, 13))
        .axis_desc_style((FONT, 14))
        .x_label_formatter(&|size| format!("{size}"))
        .y_label_formatter(&|cost| format!("{cost}"))
        .draw()?;
    for (series, colour) in table.series.iter().zip(COLOURS) {
        // What it would be if it grew linearly from where it begins.
        if let Some((size, cost)) = series.points.first() {
            let points = series.points.iter().map(|(at, _)| (*at, cost * at / size));
            let points = points.filter(|(_, cost)| costs.contains(cost));
            chart.draw_series(DashedLineSeries::new(points, 4, 4, colour.mix(0.5).stroke_width(1)))?;
        }
        let line = LineSeries::new(series.points.iter().copied(), colour.stroke_width(2)).point_size(3);
        chart
            .draw_series(line)?
            .label(name(series))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 13))
        .draw()?;
    Ok(())
}

fn name(series: &Series) -> String {
    format!("{} (exponent {:.2})", series.name, series.exponent())
}

/// From the least to the greatest.
fn range(values: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    values.clone().fold(f64::INFINITY, f64::min)..values.fold(0.0, f64::max)
}
